import { setTimeout as sleep } from 'node:timers/promises';
import { type DriverName, type ErrorCode, HangarError, isEnded, type Resources } from '@hangar/contract';
import type { UnitKey, Units } from '@hangar/sandbox';
import type { Logger } from 'pino';
import { newId } from '../../../platform/secrets/index.ts';
import { within } from '../../../platform/waits.ts';
import { stillOpen } from '../lifecycle/sandbox-facts.ts';
import type { Hand, LogsOfExecutions, Sealing } from '../needs.ts';
import { type ExecutionOrder, environmentIn } from '../orders.ts';
import type { SandboxesStore } from '../store/sandboxes-store.ts';
import type { ExecutionRow, SandboxRow } from '../store/sandboxes-tables.ts';
import { passes } from './failures.ts';
import { type Machines, unitOf } from './machines.ts';
import { printedOn } from './recorder.ts';
import { workerState } from './worker-state.ts';

/** Its folder, as its program is told. */
const FOLDER = 'HANGAR_WORKER_DIR';
const GRACE_SECONDS = 15;
const OWN_END_MS = 3_000;
const END_MS = 20_000;
const LATER: ReadonlySet<ErrorCode> = new Set(['sandbox_paused', 'sandbox_not_ready']);
const OVER: ReadonlySet<ErrorCode> = new Set(['sandbox_closed', 'sandbox_gone']);
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
  readonly log: Logger;
}) {
  const { store, machines, sealing, logs, log } = parts;

  /** Its machine, which runs. @throws HangarError sandbox_closed; sandbox_paused, sandbox_not_ready, driver_unavailable: not now */
  async function handOf(id: string, signal: AbortSignal): Promise<{ row: SandboxRow; hand: Hand }> {
    const found = await store.byId(id);
    if (found === null) throw new HangarError('sandbox_closed', { message: `Sandbox ${id} is gone.` });
    const row = stillOpen(found);
    const wayOut = `Resume it: hangar sandbox resume ${id}`;
    if (row.readyAt === null)
      throw new HangarError('sandbox_not_ready', { message: `The sandbox ${id} is being opened.` });
    if (row.machine?.kind === 'paused')
      throw new HangarError('sandbox_paused', { message: `The sandbox ${id} is paused.`, wayOut });
    return { row, hand: await machines.open(row, signal) };
  }

  /** What runs the worker there, with where it works and how it reaches this server. */
  async function prepared(
    row: SandboxRow,
    hand: Hand,
    o: { key: UnitKey; name: string; signal: AbortSignal; say: (reason: string) => void },
  ): Promise<Pick<ExecutionOrder, 'command' | 'env'>> {
    const units = (await machines.reach(row))?.units;
    if (units === undefined) throw new HangarError('sandbox_gone');
    const url = await units.serverUrl(unitOf(row), o);
    const folder = `${await hand.programs.workFolder(o)}/.hangar/jobs/${o.key.id}-${o.key.attempt}`;
    return {
      command: await hand.programs.command(o.name, o),
      env: { [FOLDER]: folder, HANGAR_WORKER_URL: url, HANGAR_WORKER_HOME: 'machine' },
    };
  }

  /** @throws HangarError driver_unavailable: its machine is out of reach, so it ends once that is back */
  async function untilEnded(id: string, key: UnitKey, signal: AbortSignal): Promise<void> {
    for (;;) {
      const [row, sandbox] = await Promise.all([store.executionOfJob(key), store.byId(id)]);
      if (row === null || isEnded(row.state)) return;
      const why = sandbox?.machine?.kind === 'paused' ? `The sandbox ${id} is paused.` : row.awayWhy;
      if (why !== null) throw new HangarError('driver_unavailable', { message: why });
      await sleep(LOOK_MS, undefined, { signal });
    }
  }

  /** What is left in a machine that stays: processes of an agent whose worker died before it, and the folder. */
  async function tidy(id: string, row: ExecutionRow, signal: AbortSignal): Promise<void> {
    try {
      const { hand } = await handOf(id, signal);
      await hand.executions.endLeftover(row.id, { signal });
      const { env } = JSON.parse(sealing.openOrder(row.id, await store.orderOf(row.id))) as ExecutionOrder;
      const { [FOLDER]: folder } = env;
      if (folder !== undefined) await hand.files.remove(folder, { signal, recursive: true });
    } catch (error) {
      signal.throwIfAborted();
      machines.forget(id);
      if (!(error instanceof HangarError)) throw error;
      if (passes(error) || LATER.has(error.code))
        throw new HangarError('driver_unavailable', { message: error.message, cause: error });
      // It went with its machine; or nobody can, and it goes with that.
      if (!OVER.has(error.code)) log.info({ err: error, sandbox: id }, 'cannot remove what a job left in a sandbox');
    }
  }

  const backend = (id: string): Pick<Units, 'ensure' | 'inspect' | 'lastWords' | 'stop' | 'remove'> => ({
    async ensure({ key, program, deadlineSeconds }, { signal, say }) {
      if (program.kind !== 'brought') throw new HangarError('internal', { message: 'A sandbox holds itself.' });
      if ((await store.executionOfJob(key)) !== null) return;
      const { row, hand } = await handOf(id, signal);
      const { command, env } = await prepared(row, hand, { key, name: program.name, signal, say }).catch((error) => {
        machines.forget(id);
        throw error;
      });
      const order: ExecutionOrder = {
        ...{ command, env, input: program.input, stdin: false, graceSeconds: GRACE_SECONDS },
        ...(deadlineSeconds === null ? {} : { timeoutSeconds: deadlineSeconds }),
      };
      signal.throwIfAborted();
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
      const state = workerState(row, sandbox);
      // Nobody can tell while its machine is out of reach: then it is asked for again.
      if (state.kind === 'running' && row.awayWhy !== null)
        throw new HangarError('driver_unavailable', { message: row.awayWhy });
      return state;
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

    async stop(key, { signal, graceMs }) {
      const row = await store.executionOfJob(key);
      if (row === null || isEnded(row.state)) return;
      await store.requestCancel(row.id, graceMs);
      // The wish is written: where nobody can be told of it now, it is carried out with the first word.
      await untilEnded(id, key, signal).catch((error: unknown) => {
        if (!(error instanceof HangarError) || error.code !== 'driver_unavailable') throw error;
      });
    },

    async remove(key, { signal }) {
      const row = await store.executionOfJob(key);
      if (row === null) return;
      const own = within(signal, OWN_END_MS);
      // One that has told its end comes to it by itself.
      await untilEnded(id, key, own).catch((error: unknown) => {
        if (!own.aborted || signal.aborted) throw error;
      });
      if (!isEnded((await store.executionOfJob(key))?.state ?? 'lost')) {
        await store.requestCancel(row.id, 0);
        await untilEnded(id, key, within(signal, END_MS));
      }
      await tidy(id, row, signal);
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
