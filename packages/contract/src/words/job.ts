import type { Job } from '../jobs.ts';
import { isFinal, type JobState } from '../state-words.ts';
import { spanMs } from './time.ts';
import type { StateWords } from './tone.ts';

/** What a person does about a job; each face has its own button or command for it. */
export type JobStep = 'follow' | 'cancel' | 'pull' | 'look' | 'retry';

interface JobStateWords extends StateWords {
  /** The most likely first. */
  readonly next: readonly JobStep[];
}

const UNDER_WAY = ['follow', 'cancel'] as const;
const AGAIN = ['look', 'retry'] as const;

export const JOB_WORDS = {
  queued: { tone: 'waiting', word: 'waiting', next: UNDER_WAY },
  starting: { tone: 'working', word: 'starting', next: UNDER_WAY },
  cloning: { tone: 'working', word: 'cloning', next: UNDER_WAY },
  running: { tone: 'working', word: 'running', next: UNDER_WAY },
  collecting: { tone: 'working', word: 'collecting', next: UNDER_WAY },
  succeeded: { tone: 'good', word: 'succeeded', next: ['pull'] },
  failed: { tone: 'bad', word: 'failed', next: AGAIN },
  cancelled: { tone: 'ended', word: 'cancelled', next: AGAIN },
  timed_out: { tone: 'bad', word: 'timed out', next: AGAIN },
  lost: { tone: 'bad', word: 'lost', next: AGAIN },
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

/** Where it works: "on docker", "in s_1a2b3c4d5e". */
export const placeWords = ({ profile, sandbox }: Pick<Job, 'profile' | 'sandbox'>): string =>
  sandbox === null ? `on ${profile}` : `in ${sandbox}`;

/** What a person would do next. Where nothing was changed there is nothing to pull. */
export const nextSteps = (job: Pick<Job, 'state' | 'cancelRequestedAt' | 'diff'>): readonly JobStep[] =>
  job.state === 'succeeded' && !job.diff?.filesChanged ? ['look'] : jobWords(job).next;

/** How long a job has taken, from submit to now or its end. */
export const elapsedMs = ({ createdAt, finishedAt }: Pick<Job, 'createdAt' | 'finishedAt'>, now = Date.now()): number =>
  spanMs(createdAt, finishedAt, now);

/** How long the agent has worked; null before it began. */
export function agentMs({ phases }: Pick<Job, 'phases'>, now = Date.now()): number | null {
  const running = phases.find(({ name }) => name === 'running');
  return running === undefined ? null : spanMs(running.startedAt, running.endedAt, now);
}
