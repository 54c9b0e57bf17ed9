import type { Failure, Job } from '../jobs.ts';
import { isFinal, type JobState } from '../state-words.ts';

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
