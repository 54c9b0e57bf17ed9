import type { Failure, Job, JobPhase, JobState } from '@hangar/contract';
import { isFinal } from '@hangar/contract/state-words';
import { formatDuration, plural } from '../../components/format.ts';
import type { Tone } from '../../components/tones.ts';

export interface JobStatus {
  readonly tone: Tone;
  readonly word: string;
}

const STATUS: Record<JobState, JobStatus> = {
  queued: { tone: 'waiting', word: 'Waiting' },
  starting: { tone: 'working', word: 'Starting' },
  cloning: { tone: 'working', word: 'Cloning' },
  running: { tone: 'working', word: 'Running' },
  collecting: { tone: 'working', word: 'Collecting' },
  succeeded: { tone: 'good', word: 'Succeeded' },
  failed: { tone: 'bad', word: 'Failed' },
  cancelled: { tone: 'ended', word: 'Cancelled' },
  timed_out: { tone: 'bad', word: 'Timed out' },
  lost: { tone: 'bad', word: 'Lost' },
};

/** The words of a state alone, for filters and histories. */
export const stateStatus = (state: JobState): JobStatus => STATUS[state];

/** What a job is doing, in one word. A job that was asked to stop says so until it has. */
export function jobStatus(job: Pick<Job, 'state' | 'cancelRequestedAt'>): JobStatus {
  if (job.cancelRequestedAt !== null && !isFinal(job.state)) return { tone: 'working', word: 'Cancelling' };
  return STATUS[job.state];
}

export type NextAction = 'cancel' | 'retry' | 'pull' | 'look';

/** What a person would most likely do next. */
export function nextAction(job: Pick<Job, 'state' | 'cancelRequestedAt' | 'diff'>): NextAction {
  if (!isFinal(job.state)) return job.cancelRequestedAt === null ? 'cancel' : 'look';
  if (job.state === 'succeeded') return job.diff === null || job.diff.filesChanged === 0 ? 'look' : 'pull';
  return 'retry';
}

/** The server names no time that is past, so what is over is about now, by its clock and not by ours. */
const PAST_MS = 2500;

/** `3 to 5 min left, from 12 earlier jobs`; null when unknown or past. */
export function etaWords(eta: Job['eta'], now: number): string | null {
  if (eta === null) return null;
  const earliest = new Date(eta.earliestAt).getTime() - now;
  const latest = new Date(eta.latestAt).getTime() - now;
  const basis = `from ${plural(eta.basis, 'earlier job')}`;
  if (latest <= PAST_MS) return `Longer than usual, ${basis}`;
  if (earliest <= 0) return `Ends within ${roughly(latest)}, ${basis}`;
  const [low, high] = [roughly(earliest), roughly(latest)];
  if (low === high) return `About ${low} left, ${basis}`;
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
  if (job.failure !== null) return { ...job.failure, wayOut: job.failure.wayOut.replaceAll(/\bID\b/g, job.id) };
  if (job.state === 'failed' || job.state === 'timed_out' || job.state === 'lost')
    return { code: job.state, message: job.reason, wayOut: 'Read the end of the log, then retry.' };
  return null;
}

/** Seconds a job has taken, going on while it runs; from submit to the end. */
export function elapsedMs(job: Pick<Job, 'createdAt' | 'finishedAt'>, now: number): number {
  const end = job.finishedAt === null ? now : new Date(job.finishedAt).getTime();
  return Math.max(0, end - new Date(job.createdAt).getTime());
}

export const phaseWord = (phase: JobPhase): string => STATUS[phase].word;

/** `1 h 30 min`, as a limit is written. */
export const limitWords = (seconds: number): string => formatDuration(seconds * 1000);
