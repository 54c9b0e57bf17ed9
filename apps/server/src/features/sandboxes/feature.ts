import { sandboxWords } from '@hangar/contract/words/sandbox';
import type { Capability, Foundation, SearchSource } from '../../platform/capability.ts';
import { createAdmission } from '../../platform/places/admission.ts';
import { createCancels } from './acts/cancels.ts';
import { createExecutionsReconciler } from './acts/executions-reconciler.ts';
import { createMachines } from './acts/machines.ts';
import { createSandboxesReconciler } from './acts/sandboxes-reconciler.ts';
import { createTrees } from './acts/trees.ts';
import { createWorkersInSandboxes, type WorkersInSandboxes } from './acts/workers.ts';
import { diffRoutes } from './diff/diff-routes.ts';
import { createSandboxDiffs } from './diff/sandbox-diffs.ts';
import { filesBytesRoutes, filesRoutes } from './files/files-routes.ts';
import { createOwnMachines } from './files/own-machine.ts';
import { createSandboxFiles } from './files/sandbox-files.ts';
import { EXECUTION } from './lifecycle/execution-lifecycle.ts';
import { PATIENCE, type Patience } from './lifecycle/sandbox-facts.ts';
import { SANDBOX } from './lifecycle/sandbox-noun.ts';
import { createLoadLive } from './load/load-live.ts';
import { loadRoutes, machinesRoutes } from './load/load-routes.ts';
import type { BroughtToSandboxes, JobsOfSandboxes, PeopleOfSandboxes, ProfilesOfSandboxes } from './needs.ts';
import { createSandboxes, type Sandboxes } from './sandboxes.ts';
import { sandboxBytesRoutes, sandboxesRoutes } from './sandboxes-routes.ts';
import { sealingOf } from './sealed-orders.ts';
import { createExecutionKeeper } from './store/execution-keeper.ts';
import { createSandboxesStore } from './store/sandboxes-store.ts';
import { terminalRoutes } from './terminal/terminal-routes.ts';
import { createTerminals } from './terminal/terminals.ts';
import { viewExecution } from './view.ts';

export interface SandboxesSettings {
  readonly patience?: Patience | undefined;
  /** On the whole server. */
  readonly atOnce: number;
}

export interface SandboxesFeature extends Capability {
  /** How many of a person's sandboxes have a place now. */
  openOf(userId: string): Promise<number>;
  readonly workers: WorkersInSandboxes;
}

/** Sandboxes: a machine in hand on any driver, and what is executed in it. */
export function sandboxesFeature(
  f: Foundation,
  needs: {
    readonly people: PeopleOfSandboxes;
    readonly profiles: ProfilesOfSandboxes;
    readonly jobs: JobsOfSandboxes;
    readonly brought: BroughtToSandboxes;
  },
  settings: SandboxesSettings,
): SandboxesFeature {
  const { database, logs } = f;
  const { people, profiles, jobs, brought } = needs;
  const log = f.log.child({ part: 'sandboxes' });
  const store = createSandboxesStore(database, { patience: settings.patience ?? PATIENCE, publish: f.publish });
  const sealing = sealingOf(f.secrets);
  const machines = createMachines(profiles, brought);
  const trees = createTrees({ jobs, program: brought.treeProgram });
  const cancels = createCancels({ database, store, log });
  const sandboxes = createSandboxes({ store, profiles, jobs, sealing, machines });
  const own = createOwnMachines({ store, machines });
  const files = createSandboxFiles(own);
  const diffs = createSandboxDiffs({ own, files, people, trees });
  const load = createLoadLive({ rowOf: store.byId, machineOf: own.machineOf, log });
  const opening = createSandboxesReconciler({ database, store, profiles, machines, trees, log });
  const executing = createExecutionsReconciler({
    ...{ database, store, people, machines, cancels, logs, log },
    ...{ orders: { store, sealing }, jobs },
  });
  const admission = createAdmission({
    ...{ database, log, table: store.reconciled.noun.table, total: settings.atOnce },
    async limitsOf(userIds) {
      const standing = await people.standingOf(userIds);
      return {
        ofUser(userId) {
          const found = standing.get(userId);
          return found === undefined || found.disabled ? 0 : found.plan.sandboxesAtOnce;
        },
        ofProfile: () => Number.POSITIVE_INFINITY,
      };
    },
  });

  return {
    openOf: (userId) => f.places.heldBy(SANDBOX, userId),
    workers: createWorkersInSandboxes({ store, machines, sealing, logs, log }),
    ownsUnit: store.ownsUnit,
    router: { sandboxes: sandboxesRoutes(sandboxes, diffs), files: filesRoutes(files), machines: machinesRoutes(own) },
    raw: [
      sandboxBytesRoutes({ sandboxes, logs }),
      diffRoutes(diffs),
      filesBytesRoutes(files),
      loadRoutes({ own, live: load, touch: store.touch }),
      terminalRoutes(createTerminals({ store, machines, logs, log })),
    ],
    live: {
      async [SANDBOX](id) {
        const row = await store.byId(id);
        return row ? ((await sandboxes.viewAll([row]))[0] ?? null) : null;
      },
      async [EXECUTION](id) {
        const row = await store.executionById(id);
        return row ? viewExecution(row, sealing) : null;
      },
    },
    search: searchSandboxes(sandboxes),
    keepers: [createExecutionKeeper({ database, logs })],
    async start() {
      await cancels.start();
      await Promise.all([opening.start(), executing.start(), admission.start()]);
    },
    async stop(signal) {
      await Promise.all([admission.stop(), opening.stop(signal), executing.stop(signal)]);
      await cancels.stop();
    },
  };
}

/** One's own sandboxes; those of all for an admin. */
const searchSandboxes =
  (sandboxes: Pick<Sandboxes, 'list'>): SearchSource =>
  async (caller, text) => {
    const { items } = await sandboxes.list(caller, { search: text, limit: 20 });
    return items.map((sandbox) => ({
      ...{ kind: 'sandbox', id: sandbox.id, title: sandbox.name ?? sandbox.id, link: `/sandboxes/${sandbox.id}` },
      detail: `${sandboxWords(sandbox).word}, ${sandbox.profile}`,
    }));
  };
