import type { Failure } from '@hangar/contract';
import { JOB_WORDS } from '@hangar/contract/words/job';
import { wayOutFor } from '@hangar/contract/words/job-ending';
import { formatSeconds, relativeTime } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { stateText } from '../../terminal/tones.ts';
import { warnOfLeftOut } from '../job-words.ts';
import type { LocalRun } from './local-runs.ts';

/** A run on this machine for programs: what run --json prints, and what status adds. */
export const localJson = (run: LocalRun, diffFile: string | null) => {
  const { id, title, state, exitCode, reason, diff, commit, startedAt, finishedAt } = run;
  const failure = run.failure && { ...run.failure, wayOut: localWayOut(run.failure, id) };
  return { id, title, state, exitCode, reason, failure, diff, diffFile, commit, startedAt, finishedAt };
};

/** What is there to type next about a run on this machine. No server knows it, so only what works without one. */
export function localNext({ id, state, diff }: LocalRun): string[] {
  if (state === 'running') return [`hangar logs ${id} --follow`, `hangar cancel ${id}`];
  if (diff !== null && diff.filesChanged > 0) return [`hangar pull ${id}`, `hangar pull ${id} --stat`];
  return [`hangar logs ${id}`];
}

/** The way out of a failure, without what only a server can do. */
export const localWayOut = ({ wayOut }: Failure, id: string): string =>
  wayOutFor(wayOut.replaceAll(/hangar retry ID/g, 'hangar run --spec SPEC.md'), id);

export function showLocalRun(run: LocalRun, terminal: Terminal): void {
  const { color } = terminal;
  terminal.out(`${color.bold(run.id)}  ${run.title}`);
  const when = run.finishedAt === null ? `, begun ${relativeTime(run.startedAt)}` : ` ${relativeTime(run.finishedAt)}`;
  terminal.out(`${stateText(JOB_WORDS[run.state], color)} on this machine${when}: ${run.reason}`);
  if (run.failure !== null) terminal.out(`${run.failure.message} ${localWayOut(run.failure, run.id)}`);
  warnOfLeftOut(terminal, run.diff?.leftOut);
}

/** One line about how it ended, for people. */
export function sayLocalEnding({ terminal }: Cli, run: LocalRun): void {
  const seconds = run.finishedAt === null ? null : (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000;
  const after = seconds === null ? '' : ` after ${formatSeconds(seconds)}`;
  const why = run.failure === null ? run.reason : `${run.failure.message} ${localWayOut(run.failure, run.id)}`;
  terminal.note(
    `${stateText(JOB_WORDS[run.state], terminal.errColor)}${after}${run.state === 'succeeded' ? '' : `: ${why}`}`,
  );
}
