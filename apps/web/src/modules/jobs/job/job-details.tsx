import { AGENT_EVENTS, agentPreset, type JobDetail, type JobState } from '@hangar/contract';
import { isFinal } from '@hangar/contract/state-words';
import { JOB_WORDS } from '@hangar/contract/words/job';
import { plural } from '@hangar/contract/words/number';
import { limitWords, usageWords } from '@hangar/contract/words/resources';
import { formatBytes } from '@hangar/contract/words/size';
import { formatSeconds } from '@hangar/contract/words/time';
import { Button } from '@mantine/core';
import { IconPencilPlus } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { CopyButton } from '../../../components/actions/copy.tsx';
import { Facts } from '../../../components/figures/facts.tsx';
import { Time } from '../../../components/figures/time.tsx';
import { Section } from '../../../components/page.tsx';
import { StateBadge } from '../../../components/state/state-badge.tsx';
import type { Tone } from '../../../components/state/tones.ts';
import { DiffStatWords } from '../job-words.tsx';
import { artifactHref } from './artifact-list.tsx';
import classes from './job.module.css';

type Fact = readonly [name: string, value: ReactNode];

/** Where it came from, where it ran, its limits, and each change of state. */
export function JobDetails({ job }: { job: JobDetail }) {
  return (
    <div className={classes.details}>
      <div>
        <Section title="Source">
          <Facts items={source(job)} />
        </Section>
        <Section title="Run">
          <Facts items={run(job)} />
        </Section>
      </div>
      <Section title="History">
        <ol className={classes.events}>
          {job.events.map((event, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a history only grows at its end
            <li key={index}>
              <StateBadge
                word={JOB_WORDS[event.state].word}
                tone={toneOf(event.state, index === job.events.length - 1)}
              />
              <span className={classes.eventReason}>
                {event.reason}
                {event.attempt > 1 ? <span className={classes.faint}> attempt {event.attempt}</span> : null}
              </span>
              <span className={classes.faint}>
                <Time at={event.at} />
              </span>
            </li>
          ))}
        </ol>
      </Section>
    </div>
  );
}

/** What was passed on the way is done; the last one says how it stands. */
const toneOf = (state: JobState, isLast: boolean): Tone => (isLast || isFinal(state) ? JOB_WORDS[state].tone : 'good');

const none = <span className={classes.faint}>–</span>;

function source({ repo, credential, agent, envNames }: JobDetail): Fact[] {
  return [
    ['Repository', repo.url ?? repo.name],
    ...(repo.fromCheckout ? [['Sent as', 'a bundle of the checkout'] as const] : []),
    ['Ref', repo.ref ?? none],
    [
      'Commit',
      repo.commit === null ? (
        none
      ) : (
        <span className={classes.id} key="commit">
          <code>{repo.commit}</code>
          <CopyButton text={repo.commit} label="Copy the commit" />
        </span>
      ),
    ],
    ['Credential', credential ?? none],
    ['Agent', <code key="agent">{agent}</code>],
    ['Environment', envNames.length === 0 ? none : <code key="env">{envNames.join(' ')}</code>],
  ];
}

function run(job: JobDetail): Fact[] {
  const { sandbox } = job;
  return [
    ...(sandbox === null
      ? []
      : [
          [
            'Sandbox',
            <Link key="sandbox" to="/sandboxes/$id" params={{ id: sandbox }} className="hg-link">
              {sandbox}
            </Link>,
          ] as const,
        ]),
    ['Profile', `${job.profile} (${job.driver})`],
    ['Image', job.image ?? none],
    ['Limits', limitWords(job.resources) ?? `those of the ${sandbox === null ? 'profile' : 'sandbox'}`],
    ['Time limit', formatSeconds(job.timeoutSeconds)],
    ['Submitted', <Time key="created" at={job.createdAt} />],
    ['Agent began', job.startedAt === null ? none : <Time key="started" at={job.startedAt} />],
    ['Ended', job.finishedAt === null ? none : <Time key="finished" at={job.finishedAt} />],
    ['Exit code', job.exitCode ?? none],
    ['Diff', <DiffStatWords key="diff" diff={job.diff} />],
    ['Usage', job.usage === null ? none : usageWords(job.usage)],
    ['Log', plural(job.logLines, 'line')],
    ...(hasRawEvents(job)
      ? [
          [
            'Raw events',
            <a key="raw" href={artifactHref(job.id, AGENT_EVENTS)} download>
              Download
            </a>,
          ] as const,
        ]
      : []),
    ['Worker heard', job.lastWordFromWorkerAt === null ? none : <Time key="heard" at={job.lastWordFromWorkerAt} />],
  ];
}

/** Agents that print events have them kept beside the log. */
const hasRawEvents = (job: JobDetail): boolean =>
  agentPreset(job.agent)?.output !== undefined && isFinal(job.state) && job.startedAt !== null;

/** The spec as it was sent, as text. */
export function JobSpec({ job }: { job: JobDetail }) {
  return (
    <div className={classes.spec}>
      <div className={classes.specHead}>
        <span className={classes.faint}>{formatBytes(new TextEncoder().encode(job.spec).length)}</span>
        <CopyButton text={job.spec} label="Copy the spec" />
        <Button
          renderRoot={(props) => <Link to="/jobs/new" search={{ from: job.id }} {...props} />}
          variant="default"
          leftSection={<IconPencilPlus size={15} />}
        >
          New job from this
        </Button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
      <pre tabIndex={0}>{job.spec}</pre>
    </div>
  );
}
