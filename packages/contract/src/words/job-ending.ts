import type { Failure, Job } from '../jobs.ts';
import { isFinal, type JobState } from '../state-words.ts';
import { plural } from './number.ts';

/** A way out with the job in it that it is about. */
export const wayOutFor = (wayOut: string, id: string): string => wayOut.replaceAll(/\bID\b/g, id);

/** Why a diff is not the whole work; null when it is. */
export function partialDiffWords(job: Pick<Job, 'state' | 'diff'>): string | null {
  if (job.diff?.partial !== true) return null;
  if (!isFinal(job.state)) return 'So far: a checkpoint of work that goes on.';
  const because: Partial<Record<JobState, string>> = {
    failed: 'the agent failed',
    cancelled: 'it was cancelled',
    timed_out: 'its time was up',
    lost: 'its worker was lost',
  };
  return `Partial: saved before the agent ended, because ${because[job.state] ?? 'it stopped early'}. Look before you pull.`;
}

/** Why it ended badly, in the words of the server or, where it said nothing more, of its state; its commands name the job. */
export function failureOf(job: Pick<Job, 'id' | 'state' | 'failure' | 'reason'>): Failure | null {
  if (job.failure !== null) return { ...job.failure, wayOut: wayOutFor(job.failure.wayOut, job.id) };
  if (job.state === 'failed' || job.state === 'timed_out' || job.state === 'lost')
    return { code: job.state, message: job.reason, wayOut: 'Read the end of the log, then retry.' };
  return null;
}

/** The server names no time that is past, so what is over is about now, by its clock and not by ours. */
const PAST_MS = 2500;

/** `3 to 5 min left, from 12 earlier jobs`; null when nobody can know. */
export function etaWords(
  eta: { readonly earliestAt: string; readonly latestAt: string; readonly basis: number } | null,
  now = Date.now(),
): string | null {
  if (eta === null) return null;
  const earliest = Date.parse(eta.earliestAt) - now;
  const latest = Date.parse(eta.latestAt) - now;
  const basis = `from ${plural(eta.basis, 'earlier job')}`;
  if (latest <= PAST_MS) return `longer than usual, ${basis}`;
  if (earliest <= 0) return `ends within ${roughly(latest)}, ${basis}`;
  const [low, high] = [roughly(earliest), roughly(latest)];
  if (low === high) return `about ${low} left, ${basis}`;
  const [lowCount, lowUnit] = low.split(' ');
  const sameUnit = lowUnit === high.split(' ')[1];
  return `${sameUnit ? lowCount : low} to ${high} left, ${basis}`;
}

/** One number and a unit: an estimate needs no more. */
function roughly(ms: number): string {
  if (ms < 90_000) return `${Math.max(5, Math.round(ms / 5000) * 5)} s`;
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}
