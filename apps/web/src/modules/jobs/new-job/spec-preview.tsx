import type { HangarError, Spec } from '@hangar/contract';
import { plural } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { formatSeconds } from '@hangar/contract/words/time';
import { Facts } from '../../../components/figures/facts.tsx';
import { StateIcon } from '../../../components/state/state-badge.tsx';
import classes from './new-job.module.css';
import { SPEC_LIMIT } from './new-job-form.ts';

interface SpecPreviewProps {
  spec: Spec | null;
  blocks: number;
  error: HangarError | null;
  bytes: number;
  /** The agent that will run. */
  agent: string;
  /** Its machine is there already, whatever the spec asks for. */
  inSandbox: boolean;
}

/** What the server will read out of the spec. */
export function SpecPreview({ spec, blocks, error, bytes, agent, inSandbox }: SpecPreviewProps) {
  const isEmpty = bytes === 0;
  return (
    <div className={classes.preview} aria-live="polite">
      <div className={classes.previewHead}>
        <h2>What is read from it</h2>
        <span className={`${classes.size} hg-num`} data-over={bytes > SPEC_LIMIT || undefined}>
          {sizeInWords(bytes)} of {sizeInWords(SPEC_LIMIT)}
        </span>
      </div>
      {isEmpty ? (
        <p className={classes.hint}>Title, settings and commands appear here while you write.</p>
      ) : error !== null ? (
        <p className={classes.previewError}>
          <StateIcon tone="bad" size={15} />
          <span>
            {error.message} <span className={classes.hint}>{error.wayOut}</span>
          </span>
        </p>
      ) : spec === null ? null : (
        <>
          <Facts
            items={[
              ['Title', spec.title],
              ['Agent', agent],
              ...(agent === 'shell' ? [['Runs', plural(blocks, 'sh block')] as const] : []),
              ...settingsOf(spec, inSandbox),
            ]}
          />
          {agent === 'shell' && blocks === 0 ? (
            <p className={classes.previewError}>
              <StateIcon tone="needs" size={15} />
              <span>Agent shell has nothing to run: add a fenced sh block, or choose another agent.</span>
            </p>
          ) : null}
        </>
      )}
    </div>
  );
}

/** Settings of the front matter; variables by name alone, and of the machine those that do not count. */
function settingsOf({ settings }: Spec, inSandbox: boolean): (readonly [string, string])[] {
  const { image, timeout, resources, env } = settings;
  const names = Object.keys(env ?? {});
  const machine = [
    ...(image === undefined ? [] : [['Image', image] as const]),
    ...(resources?.cpus === undefined ? [] : [['Cores', String(resources.cpus)] as const]),
    ...(resources?.memoryBytes === undefined ? [] : [['Memory', sizeInWords(resources.memoryBytes)] as const]),
  ];
  const unused = machine.map(([name]) => name.toLowerCase()).join(', ');
  return [
    ...(timeout === undefined ? [] : [['Time limit', formatSeconds(timeout)] as const]),
    ...(inSandbox ? [] : machine),
    ...(names.length === 0 ? [] : [['Variables', names.join(', ')] as const]),
    ...(inSandbox && unused !== '' ? [['Not used', `${unused}: the sandbox has its own`] as const] : []),
  ];
}
