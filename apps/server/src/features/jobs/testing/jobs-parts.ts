import { setTimeout as sleep } from 'node:timers/promises';
import { type Finish, HangarError, type LogBatch, type NewJob, type Plan } from '@hangar/contract';
import type { UnitState } from '@hangar/sandbox';
import { pino } from 'pino';
import type { Blobs } from '../../../platform/blobs/blobs.ts';
import type { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { createAdmission } from '../../../platform/places/admission.ts';
import { createPlaces } from '../../../platform/places/places.ts';
import { newId } from '../../../platform/secrets/index.ts';
import { createJobs } from '../jobs.ts';
import { createJobsReconciler } from '../launch/jobs-reconciler.ts';
import { PATIENCE } from '../lifecycle/job-facts.ts';
import { createJobLimits } from '../limits/job-limits.ts';
import type { BackendOfJobs, Environment, LogsOfJobs, ProfilesOfJobs, SandboxesOfJobs } from '../needs.ts';
import { createJobsStore } from '../store/jobs-store.ts';
import { createJobWorker } from '../worker/job-worker.ts';

type TestDatabase = Awaited<ReturnType<typeof createTestDatabase>>;

export const plan: Plan = {
  id: 'test',
  title: 'Test',
  jobsAtOnce: 2,
  jobsWaiting: 5,
  sandboxesAtOnce: 5,
  minutesPerMonth: 100,
  maxTimeoutSeconds: 600,
  maxArtifactBytes: 1e6,
  maxLogBytes: 1e6,
  keepLogDays: 30,
  keepArtifactDays: null,
  keepBytes: null,
};
export const ada = { userId: 'u_ada', userName: 'Ada', everybody: false };
export const bob = { userId: 'u_bob', userName: 'Bob', everybody: false };
export const request: NewJob = {
  spec: '# Try\n\n```sh\ntrue\n```\n',
  repo: { url: 'https://example.org/a/b.git' },
  env: {},
  resources: {},
};
/** The only one that there is. */
export const SANDBOX = 's_0123456789';
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
export class Backend implements BackendOfJobs {
  states = new Map<string, UnitState>();
  launches: string[] = [];
  removed: string[] = [];
  asked = 0;
  fail: HangarError | null = null;
  /** What a launch says, and that it then hangs until it is told to stop. */
  pulling: string[] = [];
  /** What cannot be written to a log. */
  unsayable: string | null = null;
  readonly units: BackendOfJobs['units'] = {
    ensure: async ({ key: { id } }, o) => {
      if (this.fail) throw this.fail;
      for (const words of this.pulling) o.say(words);
      if (this.pulling.length > 0) await sleep(60_000, undefined, { signal: o.signal });
      this.launches.push(id);
      if (!this.states.has(id)) this.states.set(id, { kind: 'running' });
    },
    inspect: async ({ id }) => {
      this.answers();
      return this.states.get(id) ?? { kind: 'missing' };
    },
    stop: async ({ id }) => {
      this.answers();
      this.states.set(id, { kind: 'exited', exitCode: 137, outOfMemory: false, reason: 'killed' });
    },
    remove: async ({ id }) => {
      this.answers();
      this.states.delete(id);
      this.removed.push(id);
    },
  };
  answers(): void {
    this.asked += 1;
    if (this.fail) throw this.fail;
  }
}

/** A job whose worker has its order, by a plan with these limits; `has` is what the worker's side may use. */
export async function claimedJob(
  database: TestDatabase,
  limits: Partial<Plan>,
  has: { readonly blobs: Blobs; readonly logs?: Pick<LogsOfJobs, 'append' | 'storedSeq'> },
) {
  const store = createJobsStore(database, { patience: PATIENCE, publish: async () => undefined });
  const worker = createJobWorker({
    ...{ store, blobs: has.blobs, people: { planOf: async () => ({ ...plan, ...limits }) } },
    ...{ credentials: { open: never }, sandboxes: { environmentOf: never } },
    ...{ environment: { open: never }, live: { untilChanged: never } },
    ...{ logs: has.logs ?? { append: never, storedSeq: never } },
    ...{ allowLocalRepos: false, heartbeatSeconds: 1, checkpointSeconds: 60 },
  });
  const { row } = await store.accept({
    row: {
      ...{ id: newId('j'), userId: 'u_ada', userName: 'Ada', title: 'Try', agent: 'shell' },
      ...{ profile: 'local', driver: 'local', repoName: 'a', timeoutSeconds: 60, requestHash: '', reason: 'Waiting' },
      admittedAt: new Date(),
    },
    order: { spec: '', envSealed: null, envNames: [] },
    waitingLimit: 5,
  });
  const identity = { jobId: row.id, attempt: 1 };
  const order = await worker.claim(identity, 'w_1');
  return { store, worker, row, identity, order };
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
    /** Where jobs in sandboxes run. */
    inSandbox?: Backend;
    settings?: Settings;
    endLog?: () => void;
  } = {},
) {
  const log = pino({ level: 'silent' });
  const store = createJobsStore(database, {
    patience: { ...PATIENCE, silenceMs: 300, claimMs: 2_000, cancelMs: 300 },
    publish: async () => undefined,
  });
  const said: string[] = [];
  const people = {
    planOf: async () => plan,
    standingOf: async (ids: readonly string[]) => new Map(ids.map((id) => [id, { plan, disabled: o.held ?? false }])),
  };
  const profiles: ProfilesOfJobs = {
    // `own` is a personal one of everybody.
    find: async (name, userId) => ({ name: name === 'own' ? `${userId}/own` : (name ?? 'local'), driver: 'local' }),
    byKey: async (name) => ({ name, driver: 'local' }),
    keyOf: async (name, userId) => (name === 'own' ? `${userId}/own` : name),
    revisionOf: async () => o.settings?.now ?? 1,
    async reach(_profile, revision) {
      if (o.settings?.isGone) throw new HangarError('driver_unknown', { message: 'This server has no such driver.' });
      return revision === 1 ? backend : (o.settings?.second ?? backend);
    },
    jobsAtOnce: async () => new Map(Object.entries(o.onProfiles ?? {})),
    all: never,
  };
  const logs = {
    append: async (_id: string, _source: string, batch: LogBatch) => batch.seq,
    storedSeq: async () => 3,
    read: async () => ({ lines: [], nextAfter: null, total: 0, ended: false, endState: null }),
    stats: async () => new Map(),
    async appendSystem(_id: string, words: string) {
      if (words === backend.unsayable) throw new HangarError('database_unavailable');
      said.push(words);
    },
    end: async () => o.endLog?.(),
  };
  const environment: Environment = {
    seal: (_id, plain) => `sealed:${Buffer.from(plain).toString('hex')}`,
    open: (_id, sealed) => Buffer.from(sealed.slice(7), 'hex').toString(),
  };
  const credentials = { has: async () => false, open: never };
  const limits = createJobLimits({ people, profiles, store, total: o.jobsAtOnce ?? 100 });
  const settings = { allowLocalRepos: o.allowLocalRepos ?? false, heartbeatSeconds: 1, checkpointSeconds: 60 };
  const sandboxes: SandboxesOfJobs = {
    async find(id) {
      if (id !== SANDBOX) throw new HangarError('sandbox_not_found');
      return { profile: 'metal', driver: 'local', image: 'of-sandbox', resources: { cpus: 3 } };
    },
    environmentOf: async () => ({ OF: 'sandbox', BOTH: 'sandbox' }),
    backend: () => o.inSandbox ?? backend,
  };
  const parts = { ...settings, store, people, profiles, sandboxes, credentials, environment, logs, limits };
  const jobs = createJobs({ ...parts, places: createPlaces(database) });
  const worker = createJobWorker({
    ...parts,
    blobs: { put: never, get: never, remove: never, removeAll: never, list: never, removeUnfinished: never },
    live: {
      untilChanged: (_id, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    },
  });
  const acting = createJobsReconciler({ ...parts, database, log, workerToken: () => 'token' });
  const { table } = store.reconciled.noun;
  const admission = createAdmission({ database, log, table, limitsOf: limits.of, total: limits.total });
  const reconciler = {
    async start(): Promise<void> {
      await acting.start();
      await admission.start();
    },
    stop: async () => void (await Promise.all([acting.stop(), admission.stop()])),
  };
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
