import { setTimeout as sleep } from 'node:timers/promises';
import { type Finish, HangarError, type NewJob, type Plan } from '@hangar/contract';
import { pino } from 'pino';
import type { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { newId } from '../../../platform/secrets/index.ts';
import { PATIENCE } from '../job-facts.ts';
import { createJobWorker } from '../job-worker.ts';
import { createJobs } from '../jobs.ts';
import { createJobsReconciler } from '../jobs-reconciler.ts';
import { createJobsStore } from '../jobs-store.ts';
import type { Launcher, LaunchRequest, UnitKey, UnitState } from '../launcher.ts';

type TestDatabase = Awaited<ReturnType<typeof createTestDatabase>>;

export const plan: Plan = {
  id: 'test',
  title: 'Test',
  jobsAtOnce: 2,
  jobsWaiting: 5,
  minutesPerMonth: 100,
  maxTimeoutSeconds: 600,
  maxArtifactBytes: 1e6,
  maxLogBytes: 1e6,
  keepLogDays: 30,
  keepArtifactDays: null,
  keepBytes: null,
};
export const ada = { userId: 'u_ada', userName: 'Ada', role: 'member' as const };
export const bob = { userId: 'u_bob', userName: 'Bob', role: 'member' as const };
export const request: NewJob = {
  spec: '# Try\n\n```sh\ntrue\n```\n',
  repo: { url: 'https://example.org/a/b.git' },
  env: {},
  resources: {},
};
export const finish: Finish = {
  outcome: 'succeeded',
  exitCode: 0,
  signal: null,
  failure: null,
  reason: 'Done',
  diff: null,
  at: new Date().toISOString(),
  lastLogSeq: 0,
};

/** A backend in memory that starts nothing: units are what the test says they are. */
export class Backend implements Launcher {
  units = new Map<string, UnitState>();
  launches: string[] = [];
  removed: string[] = [];
  asked = 0;
  fail: HangarError | null = null;
  /** What a launch says, and that it then hangs until it is told to stop. */
  pulling: string[] = [];
  /** What cannot be written to a log. */
  unsayable: string | null = null;
  async launch(unit: LaunchRequest, o: { signal: AbortSignal; say: (reason: string) => void }): Promise<void> {
    if (this.fail) throw this.fail;
    for (const words of this.pulling) o.say(words);
    if (this.pulling.length > 0) await sleep(60_000, undefined, { signal: o.signal });
    this.launches.push(unit.jobId);
    if (!this.units.has(unit.jobId)) this.units.set(unit.jobId, { kind: 'running' });
  }
  inspect = async ({ jobId }: UnitKey): Promise<UnitState> => {
    this.answers();
    return this.units.get(jobId) ?? { kind: 'missing' };
  };
  cancel = async ({ jobId }: UnitKey): Promise<void> => {
    this.answers();
    this.units.set(jobId, { kind: 'exited', exitCode: 137, outOfMemory: false, reason: 'killed' });
  };
  answers(): void {
    this.asked += 1;
    if (this.fail) throw this.fail;
  }
  remove = async ({ jobId }: UnitKey): Promise<void> => {
    this.answers();
    this.units.delete(jobId);
    this.removed.push(jobId);
  };
  sweep = async () => ({ removed: [], kept: 0 });
  test = async () => [];
}

/** Settings of the profile: which it has now, where its second are led to, and whether its driver has gone. */
export interface Settings {
  now?: number;
  second?: Backend;
  isGone?: boolean;
}

/** Jobs, their worker side and their reconciler on a database of the test, with a backend in memory. */
export function buildJobs(
  database: TestDatabase,
  backend: Backend,
  o: {
    jobsAtOnce?: number;
    onProfiles?: Record<string, number>;
    allowLocalRepos?: boolean;
    held?: boolean;
    settings?: Settings;
    endLog?: () => void;
  } = {},
) {
  const store = createJobsStore(database, {
    patience: { ...PATIENCE, silenceMs: 300, claimMs: 2_000, cancelMs: 300 },
    onMove: async () => undefined,
  });
  const said: string[] = [];
  const holds = async (ids: readonly string[]) =>
    new Map(o.held ? ids.map((id) => [id, 'Held in this test'] as const) : []);
  const jobs = createJobs({
    store,
    newId: () => newId('j'),
    newActivityId: () => newId('a'),
    planOf: async () => plan,
    profile: async (name) => ({ name: name ?? 'local', driver: 'local' }),
    allowLocalRepos: o.allowLocalRepos ?? false,
    hasCredential: async () => false,
    seal: (_id, plain) => `sealed:${Buffer.from(plain).toString('hex')}`,
    open: (_id, sealed) => Buffer.from(sealed.slice(7), 'hex').toString(),
    logLines: async () => new Map(),
    lastLines: async () => [],
    placesOf: async () => ({ profiles: new Map(Object.entries(o.onProfiles ?? {})), total: o.jobsAtOnce ?? 100 }),
    jobsAtOnce: async (ids) => new Map(ids.map((id) => [id, plan.jobsAtOnce])),
    holds,
  });
  const worker = createJobWorker({
    store,
    blobs: { put: never, get: never, remove: never, removeAll: never, list: never, removeUnfinished: never },
    planOf: async () => plan,
    credential: never,
    open: (_id, sealed) => Buffer.from(sealed.slice(7), 'hex').toString(),
    appendLog: async (_job, _attempt, batch) => batch.seq,
    storedSeq: async () => 3,
    untilPoked: (_id, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    allowLocalRepos: o.allowLocalRepos ?? false,
    heartbeatSeconds: 1,
    checkpointSeconds: 60,
  });
  const reconciler = createJobsReconciler({
    database,
    store,
    log: pino({ level: 'silent' }),
    revisionOf: async () => o.settings?.now ?? 1,
    launcherOf: async (_profile, revision) => {
      if (o.settings?.isGone) throw new HangarError('driver_unknown', { message: 'This server has no such driver.' });
      return revision === 1 ? backend : (o.settings?.second ?? backend);
    },
    workerToken: () => 'token',
    holds,
    jobsAtOnceOfUsers: async (ids) => new Map(ids.map((id) => [id, plan.jobsAtOnce])),
    jobsAtOnceOfProfiles: async () => new Map(Object.entries(o.onProfiles ?? {})),
    jobsAtOnce: o.jobsAtOnce ?? 100,
    say: async (_id, _key, words) => {
      if (words === backend.unsayable) throw new HangarError('database_unavailable');
      said.push(words);
    },
    endLog: async () => o.endLog?.(),
  });
  return { store, jobs, worker, reconciler, said };
}
const never = () => {
  throw new Error('not in this test');
};

export async function until<T>(look: () => Promise<T>, good: (value: T) => boolean, what: string): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const value = await look();
    if (good(value)) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not come: ${JSON.stringify(value)}`);
    await sleep(20);
  }
}
export const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof HangarError ? error.code : String(error)),
  );
