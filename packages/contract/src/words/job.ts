import type { Failure, Job } from '../jobs.ts';
import { isFinal, type JobState } from '../state-words.ts';
import { spanMs } from './time.ts';
import type { StateWords } from './tone.ts';

/** What a person does about a job; each face has its own button or command for it. */
export type JobStep = 'follow' | 'cancel' | 'pull' | 'look' | 'retry';

interface JobStateWords extends StateWords {
  /** The most likely first. */
  readonly next: readonly JobStep[];
}

export const JOB_WORDS = {
  queued: { tone: 'waiting', word: 'waiting', next: ['follow', 'cancel'] },
  starting: { tone: 'working', word: 'starting', next: ['follow', 'cancel'] },
  cloning: { tone: 'working', word: 'cloning', next: ['follow', 'cancel'] },
  running: { tone: 'working', word: 'running', next: ['follow', 'cancel'] },
  collecting: { tone: 'working', word: 'collecting', next: ['follow', 'cancel'] },
  succeeded: { tone: 'good', word: 'succeeded', next: ['pull'] },
  failed: { tone: 'bad', word: 'failed', next: ['look', 'retry'] },
  cancelled: { tone: 'ended', word: 'cancelled', next: ['look', 'retry'] },
  timed_out: { tone: 'bad', word: 'timed out', next: ['look', 'retry'] },
  lost: { tone: 'bad', word: 'lost', next: ['look', 'retry'] },
} as const satisfies Record<JobState, JobStateWords>;

const CANCELLING: JobStateWords = { tone: 'working', word: 'cancelling', next: ['follow'] };

const isCancelling = (job: Pick<Job, 'state' | 'cancelRequestedAt'>): boolean =>
  job.cancelRequestedAt !== null && !isFinal(job.state);

/** What a job is doing. One that was asked to stop says so until it has. */
export const jobWords = (job: Pick<Job, 'state' | 'cancelRequestedAt'>): JobStateWords =>
  isCancelling(job) ? CANCELLING : JOB_WORDS[job.state];

/** Since when it is doing that. */
export const jobSince = (job: Pick<Job, 'state' | 'stateSince' | 'cancelRequestedAt'>): string =>
  isCancelling(job) ? (job.cancelRequestedAt ?? job.stateSince) : job.stateSince;

/** What a person would do next. Where nothing was changed there is nothing to pull. */
export const nextSteps = (job: Pick<Job, 'state' | 'cancelRequestedAt' | 'diff'>): readonly JobStep[] =>
  job.state === 'succeeded' && !job.diff?.filesChanged ? ['look'] : jobWords(job).next;

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

/** How long a job has taken, from submit to now or its end. */
export const elapsedMs = ({ createdAt, finishedAt }: Pick<Job, 'createdAt' | 'finishedAt'>, now = Date.now()): number =>
  spanMs(createdAt, finishedAt, now);

/** How long the agent has worked; null before it began. */
export function agentMs({ phases }: Pick<Job, 'phases'>, now = Date.now()): number | null {
  const running = phases.find(({ name }) => name === 'running');
  return running === undefined ? null : spanMs(running.startedAt, running.endedAt, now);
}
