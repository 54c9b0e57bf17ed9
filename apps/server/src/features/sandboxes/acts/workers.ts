import { setTimeout as sleep } from 'node:timers/promises';
import { type DriverName, HangarError, isEnded, type Resources } from '@hangar/contract';
import type { UnitKey, Units } from '@hangar/sandbox';
import { newId } from '../../../platform/secrets/index.ts';
import { stillOpen } from '../lifecycle/sandbox-facts.ts';
import type { Hand, LogsOfExecutions, Sealing } from '../needs.ts';
import { type ExecutionOrder, environmentIn } from '../orders.ts';
import type { SandboxesStore } from '../store/sandboxes-store.ts';
import type { ExecutionRow, SandboxRow } from '../store/sandboxes-tables.ts';
import type { Machines } from './machines.ts';
import { unitOf } from './machines.ts';
import { printedOn } from './recorder.ts';
import { workerState } from './worker-state.ts';

const GRACE_SECONDS = 15;
const LOOK_MS = 200;
/** Of what a worker printed. */
const WORDS_MOST = 4_000;
const LINES_MOST = 20;

/** What belongs to a machine, for a job that works in it. */
export interface PlaceInSandbox {
  readonly profile: string;
  readonly driver: DriverName;
  readonly image: string | null;
  readonly resources: Resources;
}

export type WorkersInSandboxes = ReturnType<typeof createWorkersInSandboxes>;

/**
 * Jobs that work in sandboxes. Their worker is brought there as to any machine, and is an execution like all others: what follows, counts
 * and ends those does so with it, and a sandbox that is closed takes it along.
 */
export function createWorkersInSandboxes(parts: {
  readonly store: SandboxesStore;
  readonly machines: Machines;
  readonly sealing: Sealing;
  readonly logs: Pick<LogsOfExecutions, 'read'>;
}) {
  const { store, machines, sealing, logs } = parts;

  /** Its machine, which runs. @throws HangarError sandbox_closed; driver_unavailable: not now */
  async function handOf(id: string, signal: AbortSignal): Promise<{ row: SandboxRow; hand: Hand }> {
    const found = await store.byId(id);
    if (found === null) throw new HangarError('sandbox_closed', { message: `Sandbox ${id} is gone.` });
    const row = stillOpen(found);
    const why = row.readyAt === null ? 'being opened' : row.machine?.kind === 'paused' ? 'paused' : null;
    if (why !== null) throw new HangarError('driver_unavailable', { message: `The sandbox ${id} is ${why}.` });
    return { row, hand: await machines.open(row, signal) };
  }

  async function untilEnded(key: UnitKey, signal: AbortSignal): Promise<void> {
    for (;;) {
      const row = await store.executionOfJob(key);
      if (row === null || isEnded(row.state)) return;
      await sleep(LOOK_MS, undefined, { signal });
    }
  }

  /** Again: one that was told to end ends sooner. */
  async function end(key: UnitKey, graceMs: number, signal: AbortSignal): Promise<ExecutionRow | null> {
    const row = await store.executionOfJob(key);
    if (row === null || isEnded(row.state)) return row;
    await store.requestCancel(row.id, graceMs);
    await untilEnded(key, signal);
    return row;
  }

  const backend = (id: string): Pick<Units, 'ensure' | 'inspect' | 'lastWords' | 'stop' | 'remove'> => ({
    async ensure({ key, program, deadlineSeconds }, { signal, say }) {
      if (program.kind !== 'brought') throw new HangarError('internal', { message: 'A sandbox holds itself.' });
      if ((await store.executionOfJob(key)) !== null) return;
      const { row, hand } = await handOf(id, signal);
      const units = (await machines.reach(row))?.units;
      if (units === undefined) throw new HangarError('sandbox_gone');
      const url = await units.serverUrl(unitOf(row), { signal });
      const command = await hand.programs.command(program.name, { signal, say });
      const order: ExecutionOrder = {
        ...{ command, input: program.input, stdin: false, graceSeconds: GRACE_SECONDS },
        env: {
          ...{ HANGAR_WORKER_DIR: await folderOf(hand, key, signal), HANGAR_WORKER_URL: url },
          HANGAR_WORKER_HOME: 'machine',
        },
        ...(deadlineSeconds === null ? {} : { timeoutSeconds: deadlineSeconds }),
      };
      const executionId = newId('e');
      await store.acceptExecution(
        {
          ...{ id: executionId, sandboxId: id, userId: row.userId, jobId: key.id, jobAttempt: key.attempt },
          titleSealed: sealing.sealTitle(executionId, `Worker of ${key.id}`),
          ...{ terminal: false, stdin: false, reason: 'Waiting for the machine', requestHash: '' },
        },
        sealing.sealOrder(executionId, JSON.stringify(order)),
      );
    },

    async inspect(key) {
      const [row, sandbox] = await Promise.all([store.executionOfJob(key), store.byId(id)]);
      if (row === null) return { kind: 'missing' };
      // Nobody can tell while its machine is out of reach: then it is asked for again.
      if (!isEnded(row.state) && row.startedAt !== null && row.awayWhy !== null)
        throw new HangarError('driver_unavailable', { message: row.awayWhy });
      return workerState(row, sandbox);
    },

    async lastWords(key, { signal }) {
      const row = await store.executionOfJob(key);
      if (row === null) return [];
      let text = '';
      for await (const bytes of printedOn(logs, row.id, 'stderr', signal))
        text = (text + bytes.toString()).slice(-WORDS_MOST);
      const lines = text.split('\n').map((line) => line.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim());
      return lines.filter((line) => line !== '').slice(-LINES_MOST);
    },

    stop: async (key, { signal, graceMs }) => void (await end(key, graceMs, signal)),

    async remove(key, { signal }) {
      if ((await end(key, 0, signal)) === null) return;
      try {
        const { hand } = await handOf(id, signal);
        await hand.files.remove(await folderOf(hand, key, signal), { signal, recursive: true });
      } catch (error) {
        // It went with its machine, or belongs to an account that the agent became.
        const isOver = error instanceof HangarError && /^(sandbox_(closed|gone)|file_forbidden)$/.test(error.code);
        if (!isOver) throw error;
      }
    },
  });

  return {
    async find(id: string, userId: string): Promise<PlaceInSandbox> {
      const { profile, driver, image, resources } = stillOpen(await store.of(userId).get(id));
      return { profile, driver, image, resources };
    },

    async environmentOf(id: string): Promise<Record<string, string>> {
      return environmentIn(sealing, id, await store.envOf(id));
    },

    backend: (id: string) => ({ units: backend(id) }),
  };
}

const folderOf = async (hand: Hand, { id, attempt }: UnitKey, signal: AbortSignal): Promise<string> =>
  `${await hand.programs.workFolder({ signal })}/.hangar/jobs/${id}-${attempt}`;
