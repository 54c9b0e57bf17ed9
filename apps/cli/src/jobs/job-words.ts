import type { Job, JobState, Phase, Usage } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { isFinal } from '@hangar/contract/state-words';
import type { Palette } from '../terminal/terminal.ts';
import { ago, count, duration } from '../terminal/words.ts';

/** Word and mark of a state; never colour alone. */
const LOOK: Record<JobState, { mark: string; word: string; paint: keyof Palette }> = {
  queued: { mark: '○', word: 'queued', paint: 'dim' },
  starting: { mark: '◐', word: 'starting', paint: 'blue' },
  cloning: { mark: '◐', word: 'cloning', paint: 'blue' },
  running: { mark: '◐', word: 'running', paint: 'blue' },
  collecting: { mark: '◐', word: 'collecting', paint: 'blue' },
  succeeded: { mark: '✓', word: 'succeeded', paint: 'green' },
  failed: { mark: '✗', word: 'failed', paint: 'red' },
  cancelled: { mark: '–', word: 'cancelled', paint: 'dim' },
  timed_out: { mark: '✗', word: 'timed out', paint: 'red' },
  lost: { mark: '✗', word: 'lost', paint: 'red' },
};

export const stateWord = (state: JobState, color: Palette): string => {
  const { mark, word, paint } = LOOK[state];
  return color[paint](`${mark} ${word}`);
};

export const stateName = (state: JobState): string => LOOK[state].word;

export function phaseSeconds(phase: Phase, now = Date.now()): number {
  const end = phase.endedAt === null ? now : Date.parse(phase.endedAt);
  return Math.max(0, (end - Date.parse(phase.startedAt)) / 1000);
}

/** The server names no time that is past, so what is over is about now, by its clock and not by ours. */
const PAST_SECONDS = 2.5;

/** When it is expected to end, as a range; null when nobody can know. */
export function etaWords({ eta }: Job, now = Date.now()): string | null {
  if (eta === null) return null;
  const earliest = (Date.parse(eta.earliestAt) - now) / 1000;
  const latest = (Date.parse(eta.latestAt) - now) / 1000;
  const basis = `from ${count(eta.basis, 'earlier job')}`;
  if (latest <= PAST_SECONDS) return `longer than usual (${basis})`;
  if (earliest <= 0) return `within ${duration(latest)} (${basis})`;
  const range =
    duration(earliest) === duration(latest) ? duration(latest) : `${duration(earliest)} to ${duration(latest)}`;
  return `in ${range} (${basis})`;
}

export const sinceWords = (job: Job): string =>
  isFinal(job.state)
    ? `${ago(job.stateSince)}, after ${duration(job.elapsedSeconds)}`
    : `since ${duration((Date.now() - Date.parse(job.stateSince)) / 1000)}`;

export function diffWords({ diff }: Job): string {
  if (diff === null) return 'none';
  if (diff.filesChanged === 0) return 'nothing changed';
  return `${count(diff.filesChanged, 'file')}, +${diff.insertions} -${diff.deletions}${diff.partial ? ' (partial)' : ''}`;
}

/** Tokens and money, as the agent counted them. */
export function usageWords({ inputTokens, cachedInputTokens, outputTokens, costUsd, turns, model }: Usage): string {
  const whole = (n: number) => n.toLocaleString('en-US');
  return [
    `${whole(inputTokens)} tokens in${cachedInputTokens ? ` (${whole(cachedInputTokens)} cached)` : ''}`,
    `${whole(outputTokens)} out`,
    ...(costUsd === null ? [] : [`$${costUsd.toFixed(costUsd < 1 ? 4 : 2)}`]),
    ...(turns === null ? [] : [count(turns, 'turn')]),
    ...(model === null ? [] : [model]),
  ].join(', ');
}

/** A way out with the job in it that it is about. */
export const wayOutFor = (wayOut: string, id: string): string => wayOut.replaceAll(/\bID\b/g, id);

/** An error whose way out names the job it is about. */
export function aboutJob(error: unknown, id: string): unknown {
  if (!(error instanceof HangarError) || !/\bID\b/.test(error.wayOut)) return error;
  const { code, message, details } = error;
  const known = details === undefined ? {} : { details };
  return new HangarError(code, { message, wayOut: wayOutFor(error.wayOut, id), ...known, cause: error });
}

/** What a person would type next about this job. */
export function nextCommands(job: Job): string[] {
  const { id, state, diff } = job;
  if (!isFinal(state)) return [`hangar logs ${id} --follow`];
  if (state === 'succeeded')
    return diff !== null && diff.filesChanged > 0 ? [`hangar pull ${id}`] : [`hangar logs ${id}`];
  return [`hangar logs ${id} --tail 50`, `hangar retry ${id}`];
}
