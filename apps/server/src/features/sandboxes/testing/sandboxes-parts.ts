import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError, NewExecution, NewSandbox, type Plan } from '@hangar/contract';
import type { Machine, Reach, UnitKey, UnitSpec, UnitState } from '@hangar/sandbox';
import { processBed } from '@hangar/sandbox/testing/process-bed';
import { pino } from 'pino';
import { createBlobsInMemory } from '../../../platform/blobs/testing/index.ts';
import type { Publication } from '../../../platform/capability.ts';
import type { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { createLogs } from '../../../platform/logs/index.ts';
import { createAdmission } from '../../../platform/places/admission.ts';
import { createCancels } from '../acts/cancels.ts';
import { createExecutionsReconciler } from '../acts/executions-reconciler.ts';
import { createMachines } from '../acts/machines.ts';
import { createSandboxesReconciler } from '../acts/sandboxes-reconciler.ts';
import { createTrees } from '../acts/trees.ts';
import { createWorkersInSandboxes } from '../acts/workers.ts';
import { createSandboxDiffs } from '../diff/sandbox-diffs.ts';
import { createOwnMachines } from '../files/own-machine.ts';
import { createSandboxFiles } from '../files/sandbox-files.ts';
import { PATIENCE, type Patience } from '../lifecycle/sandbox-facts.ts';
import type {
  BroughtToSandboxes,
  JobsOfSandboxes,
  LogsOfExecutions,
  PeopleOfSandboxes,
  ProfilesOfSandboxes,
  Sealing,
} from '../needs.ts';
import { createSandboxes } from '../sandboxes.ts';
import { createSandboxesStore } from '../store/sandboxes-store.ts';

type TestDatabase = Awaited<ReturnType<typeof createTestDatabase>>;

export const ada = { userId: 'u_ada', userName: 'Ada', everybody: false };
export const bob = { userId: 'u_bob', userName: 'Bob', everybody: false };
export const admin = { userId: 'u_root', userName: 'Root', everybody: true };
export const request = (more: Partial<NewSandbox> = {}): NewSandbox => ({ ...NewSandbox.parse({}), ...more });
export const command = (sandbox: string, shell: string, more: Partial<NewExecution> = {}): NewExecution => ({
  ...NewExecution.parse({ sandbox, command: { shell } }),
  ...more,
});

const plan: Plan = {
  ...{ id: 'test', title: 'Test', jobsAtOnce: 2, jobsWaiting: 5, sandboxesAtOnce: 20, minutesPerMonth: 100 },
  ...{ maxTimeoutSeconds: 600, maxArtifactBytes: 1e6, maxLogBytes: 100e6, keepLogDays: 30 },
  ...{ keepArtifactDays: null, keepBytes: null },
};

type Bed = ReturnType<typeof processBed>;

/** A backend in memory whose machines are processes of this one. */
export class Backend {
  readonly made: UnitSpec[] = [];
  readonly removed: string[] = [];
  readonly renewed: string[] = [];
  /** Thrown by all that is asked. */
  away: HangarError | null = null;
  /** Thrown by one thing that is asked of a unit. */
  readonly faults: { pause?: Error; resume?: Error; remove?: Error; inspect?: Error } = {};
  /** How often something was asked that has a fault. */
  faulty = 0;
  /** Thrown by each start, while there are some. */
  launchFaults: HangarError[] = [];
  /** For each channel that is opened: after how many bytes of output it breaks. */
  breaks: () => number = () => Number.POSITIVE_INFINITY;
  /** What a machine is put behind. */
  through: (machine: Machine) => Machine = (machine) => machine;
  /** What a worker is told to talk to. */
  serverUrl = 'http://127.0.0.1:1';
  /** That something asked of a unit never answers. */
  silent = false;
  readonly #gone = new Set<string>();
  readonly #beds = new Map<string, Bed>();
  readonly #states = new Map<string, UnitState>();

  readonly reach: Reach;
  constructor(o: { readonly pauses: boolean }) {
    this.reach = {
      test: async () => [],
      units: {
        ensure: async (spec) => {
          this.#answers();
          const fault = this.launchFaults.shift();
          if (fault) throw fault;
          this.made.push(spec);
          const { id } = spec.key;
          if (!this.#beds.has(id)) this.#beds.set(id, processBed({ breaks: () => this.breaks() }));
          if (!this.#states.has(id)) this.#states.set(id, { kind: 'running' });
        },
        inspect: async ({ id }, { signal }) => {
          if (this.silent) await sleep(600_000, undefined, { signal });
          this.#answers('inspect');
          return this.#states.get(id) ?? { kind: 'missing' };
        },
        stop: async () => undefined,
        remove: async ({ id }) => {
          this.#answers('remove');
          await this.#closed(id);
          this.#states.delete(id);
          this.removed.push(id);
        },
        sweep: async () => ({ removed: [], kept: 0 }),
        machine: async ({ id }) => {
          this.#answers();
          const bed = this.#beds.get(id);
          if (bed === undefined || this.#states.get(id)?.kind !== 'running') throw new HangarError('sandbox_gone');
          return this.through(await bed.machine());
        },
        serverUrl: async () => this.serverUrl,
        renew: async ({ id }: UnitKey) => void this.renewed.push(id),
        ...(o.pauses
          ? {
              pause: async ({ id }: UnitKey) => this.#turn('pause', id, 'paused'),
              resume: async ({ id }: UnitKey) => this.#turn('resume', id, 'running'),
            }
          : {}),
      },
    };
  }
  /** What is left of it can still be asked for. */
  async #closed(id: string): Promise<void> {
    if (this.#gone.has(id)) return;
    this.#gone.add(id);
    await this.#beds.get(id)?.close();
  }
  #answers(asked?: keyof Backend['faults']): void {
    if (this.away) throw this.away;
    const fault = asked === undefined ? undefined : this.faults[asked];
    if (fault === undefined) return;
    this.faulty += 1;
    throw fault;
  }
  #turn(asked: 'pause' | 'resume', id: string, kind: 'paused' | 'running'): void {
    this.#answers(asked);
    this.#states.set(id, { kind });
  }
  bed(id: string): Bed {
    const bed = this.#beds.get(id);
    if (bed === undefined) throw new Error(`there is no machine ${id}`);
    return bed;
  }
  /** The machine ends by itself, with all that runs in it. */
  async lose(id: string): Promise<void> {
    this.#states.delete(id);
    await this.bed(id).destroy();
  }
  async close(): Promise<void> {
    for (const id of this.#beds.keys()) await this.#closed(id);
  }
}

/** All of sandboxes as one server has it; several share a database and a backend. */
export function buildServer(
  database: TestDatabase,
  backend: Backend,
  o: {
    readonly patience?: Partial<Patience>;
    readonly maxLogBytes?: number;
    readonly jobs?: JobsOfSandboxes;
    readonly brought?: Pick<BroughtToSandboxes, 'programs' | 'nodeFile'>;
    readonly logs?: (logs: LogsOfExecutions) => LogsOfExecutions;
  } = {},
) {
  const log = pino({ level: process.env.HANGAR_TEST_LOG ?? 'silent' });
  const published: Publication[] = [];
  const store = createSandboxesStore(database, {
    patience: { ...PATIENCE, lookMs: 200, startingMs: 50, ...o.patience },
    publish: async (_tx, publications) => void published.push(...publications),
  });
  const stored = createLogs({ database, blobs: createBlobsInMemory(), log });
  const logs = o.logs?.(stored) ?? stored;
  const people: PeopleOfSandboxes = {
    planOf: async () => ({ ...plan, maxLogBytes: o.maxLogBytes ?? plan.maxLogBytes }),
    standingOf: async (ids) => new Map(ids.map((id) => [id, { plan, disabled: false }])),
  };
  const profiles: ProfilesOfSandboxes = {
    find: async (name) => ({ name: name ?? 'local', driver: 'local' }),
    byKey: async (key) => ({ name: key, driver: 'local' }),
    revisionOf: async () => 1,
    reach: async () => backend.reach,
  };
  const turned = (id: string, plain: string) => Buffer.from(`${id} ${plain}`).toString('hex');
  const turnedBack = (id: string, sealed: string) =>
    Buffer.from(sealed, 'hex')
      .toString()
      .slice(id.length + 1);
  const sealing: Sealing = {
    ...{ sealEnvironment: turned, openEnvironment: turnedBack, sealOrder: turned, openOrder: turnedBack },
    ...{ sealTitle: turned, openTitle: turnedBack },
  };
  const machines = createMachines(profiles, o.brought ?? { programs: {}, nodeFile: process.execPath });
  const jobs = o.jobs ?? noJobs;
  const trees = createTrees({ jobs, program: 'worker' });
  const cancels = createCancels({ database, store, log });
  const opening = createSandboxesReconciler({ database, store, profiles, machines, trees, log });
  const executing = createExecutionsReconciler({
    ...{ database, store, people, machines, cancels, jobs, logs, log, orders: { store, sealing } },
  });
  const admission = createAdmission({
    ...{ database, log, table: store.reconciled.noun.table, total: 100 },
    limitsOf: async () => ({ ofUser: () => 20, ofProfile: () => Number.POSITIVE_INFINITY }),
  });
  const own = createOwnMachines({ store, machines });
  const diffs = createSandboxDiffs({ own, files: createSandboxFiles(own), people, trees });
  return {
    ...{ store, machines, diffs, published, logs: stored },
    workers: createWorkersInSandboxes({ store, machines, sealing, logs: stored, log }),
    sandboxes: createSandboxes({ store, profiles, jobs, sealing, machines }),
    async start() {
      await cancels.start();
      await Promise.all([opening.start(), executing.start(), admission.start()]);
    },
    async stop() {
      await Promise.all([opening.stop(), executing.stop(), admission.stop()]);
      await cancels.stop();
      await stored.close();
    },
  };
}

const noJobs: JobsOfSandboxes = {
  workerEnded: async () => undefined,
  async originOf() {
    throw new HangarError('job_not_found');
  },
  async filesOf() {
    throw new HangarError('job_not_found');
  },
};

export async function until<T>(look: () => Promise<T>, good: (value: T) => boolean, what: string): Promise<T> {
  const deadline = Date.now() + 40_000;
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
