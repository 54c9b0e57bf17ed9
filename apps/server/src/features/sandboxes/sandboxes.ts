import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  checkEnv,
  type Execution,
  HangarError,
  isClosed,
  isEnded,
  MAX_COMMAND_BYTES,
  type NewExecution,
  type NewSandbox,
  OWN_SHELL,
  type Sandbox,
  type SandboxStateName,
  sizeInWords,
} from '@hangar/contract';
import { lookup } from '../../platform/database/together.ts';
import { readCursor, writeCursor } from '../../platform/http/cursor.ts';
import { newId } from '../../platform/secrets/index.ts';
import type { Machines } from './acts/machines.ts';
import { stillOpen } from './lifecycle/sandbox-facts.ts';
import type { JobsOfSandboxes, OriginOfSandbox, ProfilesOfSandboxes, Sealing } from './needs.ts';
import type { ExecutionOrder } from './orders.ts';
import type { SandboxesStore } from './store/sandboxes-store.ts';
import type { ExecutionRow, SandboxRow } from './store/sandboxes-tables.ts';
import { viewExecution, viewSandbox } from './view.ts';

export interface Caller {
  readonly userId: string;
  readonly userName: string;
  /** What is everybody's and not only theirs. */
  readonly everybody: boolean;
}

const TITLE_MOST = 200;
const STARTED_LOOK_MS = 50;
/** For an execution to start, so that it can be written to. */
const STARTED_MS = 12_000;

export type Sandboxes = ReturnType<typeof createSandboxes>;

/** The use cases of sandboxes. A request only writes what is wanted; the reconcilers do the rest. */
export function createSandboxes(parts: {
  readonly store: SandboxesStore;
  readonly profiles: Pick<ProfilesOfSandboxes, 'find' | 'byKey'>;
  readonly jobs: Pick<JobsOfSandboxes, 'originOf'>;
  readonly sealing: Sealing;
  readonly machines: Machines;
}) {
  const { store, sealing, machines } = parts;
  const owned = (caller: Caller) => store.of(caller.userId, caller.everybody);
  const runningIn = lookup((ids) => store.running(ids));
  const view = async (row: SandboxRow): Promise<Sandbox> => viewSandbox(row, (await runningIn(row.id)) ?? 0);
  const shown = (row: ExecutionRow): Execution => viewExecution(row, sealing);
  const viewAll = (rows: readonly SandboxRow[]): Promise<Sandbox[]> => Promise.all(rows.map(view));

  async function open(caller: Caller, request: NewSandbox): Promise<Sandbox> {
    const origin = request.job === undefined ? null : await parts.jobs.originOf(caller.userId, request.job);
    const own = { ...origin?.env, ...request.env };
    checkEnv(own);
    const profile = await profileOf(caller, request, origin);
    const id = newId('s');
    const { env, idempotencyKey = null, sandbox: _, profile: __, ...wanted } = request;
    const row = await store.accept(
      {
        ...{ id, userId: caller.userId, userName: caller.userName, activityId: newId('a') },
        ...{
          profile: profile.name,
          driver: profile.driver,
          name: wanted.name ?? null,
          image: wanted.image ?? origin?.image ?? null,
        },
        ...{ resources: { ...origin?.resources, ...wanted.resources }, metadata: wanted.metadata },
        ...{ envNames: Object.keys(own).sort(), jobId: wanted.job ?? null },
        ...{ idleSeconds: wanted.idleSeconds, lifetimeSeconds: wanted.lifetimeSeconds },
        ...{ idempotencyKey, requestHash: hashOf({ ...wanted, env, profile: profile.name }) },
        reason: 'Waiting for a free place',
      },
      Object.keys(own).length === 0 ? null : sealing.sealEnvironment(id, JSON.stringify(own)),
    );
    return view(row);
  }

  /** That of the job may be another one by now, or none. */
  async function profileOf(caller: Caller, { profile, job }: NewSandbox, origin: OriginOfSandbox | null) {
    if (profile !== undefined || origin === null) return parts.profiles.find(profile, caller.userId);
    return parts.profiles.byKey(origin.profile).catch((error: unknown) => {
      if (!(error instanceof HangarError) || error.code !== 'profile_not_found') throw error;
      throw new HangarError('profile_not_found', {
        message: `The profile that ${job} ran on is not there any more.`,
        wayOut: `Choose another one: hangar sandbox open --job ${job} --on PROFILE`,
      });
    });
  }

  /** Again to one that is there: whoever had left is back, and a paused one goes on. */
  async function connect(caller: Caller, id: string): Promise<Sandbox> {
    await mayStillBeUsed(caller, id);
    const { row } = await store.advance(id, (_row, now) => ({
      ...{ pauseWanted: false, leftAt: null, lastActivityAt: now, fault: null },
    }));
    return view(row);
  }

  async function mayStillBeUsed(caller: Caller, id: string): Promise<SandboxRow> {
    return stillOpen(await owned(caller).get(id));
  }

  /** Its own executions alone: an admin sees others', and types in none of them. */
  async function startedExecution(caller: Caller, id: string, signal: AbortSignal): Promise<ExecutionRow> {
    const deadline = performance.now() + STARTED_MS;
    for (;;) {
      const row = await store.of(caller.userId).execution(id);
      if (row.startedAt !== null || isEnded(row.state)) return row;
      if (performance.now() > deadline)
        throw new HangarError('driver_unavailable', { message: 'The execution has not started in time.' });
      await sleep(STARTED_LOOK_MS, undefined, { signal });
    }
  }

  return {
    open: (caller: Caller, request: NewSandbox): Promise<Sandbox> =>
      request.sandbox === undefined ? open(caller, request) : connect(caller, request.sandbox),

    async list(
      caller: Caller,
      query: { states?: SandboxStateName[]; profile?: string; search?: string; limit: number; cursor?: string },
    ): Promise<{ items: Sandbox[]; nextCursor: string | null }> {
      const { cursor, limit, ...filter } = query;
      const before = cursor === undefined ? undefined : readCursor(cursor);
      const rows = await owned(caller).list({ ...filter, ...(before ? { before } : {}), limit: limit + 1 });
      return page(rows, limit, await viewAll(rows.slice(0, limit)));
    },
    get: async (caller: Caller, id: string): Promise<Sandbox> => view(await owned(caller).get(id)),

    async close(caller: Caller, id: string, o: { keep: boolean }): Promise<Sandbox> {
      const row = await owned(caller).get(id);
      // What is left of one that is closed is removed once more.
      if (isClosed(row.state) && (row.fault?.act !== 'clean' || o.keep)) return view(row);
      const advanced = await store.advance(id, (before, now) =>
        o.keep ? { leftAt: before.leftAt ?? now } : { cancelRequestedAt: before.cancelRequestedAt ?? now, fault: null },
      );
      return view(advanced.row);
    },

    /** @throws HangarError sandbox_closed, unsupported */
    async pause(caller: Caller, id: string): Promise<Sandbox> {
      const row = await mayStillBeUsed(caller, id);
      if ((await machines.reach(row))?.units.pause === undefined)
        throw new HangarError('unsupported', { message: `The driver ${row.driver} cannot pause.` });
      return view((await store.advance(id, () => ({ pauseWanted: true, fault: null }))).row);
    },
    resume: connect,

    async execute(caller: Caller, request: NewExecution): Promise<Execution> {
      // Wider is no right to run something in the machine of somebody else.
      const mine = { ...caller, everybody: false };
      // A key may be of one that was taken while it was open.
      const sandbox =
        request.idempotencyKey === undefined
          ? await mayStillBeUsed(mine, request.sandbox)
          : await owned(mine).get(request.sandbox);
      checkEnv(request.env);
      const { idempotencyKey = null, sandbox: _, ...rest } = request;
      const order: ExecutionOrder = rest;
      const text = JSON.stringify(order);
      const bytes = Buffer.byteLength(JSON.stringify(order.command));
      if (bytes > MAX_COMMAND_BYTES)
        throw new HangarError('command_too_long', {
          message: `The command has ${sizeInWords(bytes)}; a machine takes ${sizeInWords(MAX_COMMAND_BYTES)}.`,
        });
      if (text.includes('\\u0000'))
        throw new HangarError('validation_failed', { message: 'command: a command cannot hold a NUL character' });
      const id = newId('e');
      const row = await store.acceptExecution(
        {
          ...{
            id,
            sandboxId: sandbox.id,
            userId: caller.userId,
            titleSealed: sealing.sealTitle(id, titleOf(request.command)),
          },
          ...{ terminal: request.terminal !== undefined, stdin: request.stdin, reason: 'Waiting for the machine' },
          ...{ idempotencyKey, requestHash: hashOf(request) },
        },
        sealing.sealOrder(id, text),
      );
      return shown(row);
    },

    execution: async (caller: Caller, id: string): Promise<Execution> => shown(await owned(caller).execution(id)),

    async executions(caller: Caller, sandboxId: string, query: { limit: number; cursor?: string }) {
      const { cursor, limit } = query;
      const before = cursor === undefined ? undefined : readCursor(cursor);
      await owned(caller).get(sandboxId);
      const rows = await owned(caller).executions(sandboxId, { ...(before ? { before } : {}), limit: limit + 1 });
      return page(rows, limit, rows.slice(0, limit).map(shown));
    },

    /** One that has ended stays as it ended. */
    async cancel(caller: Caller, id: string, graceSeconds: number | undefined): Promise<Execution> {
      const row = await owned(caller).execution(id);
      if (isEnded(row.state)) return shown(row);
      return shown(await store.requestCancel(id, graceSeconds === undefined ? null : graceSeconds * 1000));
    },

    /** Writes to its standard input, at a position: a part that was written before changes nothing. Answers how much there is. */
    async write(
      caller: Caller,
      id: string,
      input: { at: number; end: boolean; bytes: Uint8Array },
      signal: AbortSignal,
    ): Promise<{ bytes: number }> {
      const row = await startedExecution(caller, id, signal);
      if (!row.stdin)
        throw new HangarError('validation_failed', { message: 'The execution was started without standard input.' });
      // Nobody reads any more: as when a pipe is written whose reader has gone.
      if (isEnded(row.state)) return { bytes: input.at + input.bytes.length };
      const sandbox = await store.byId(row.sandboxId);
      if (sandbox === null) throw new HangarError('sandbox_gone');
      await store.touch(sandbox.id);
      const { executions } = await machines.open(sandbox, signal);
      try {
        const bytes =
          input.bytes.length === 0 ? input.at : await executions.write(id, input.at, input.bytes, { signal });
        if (input.end) await executions.endInput(id, input.at + input.bytes.length, { signal });
        return { bytes };
      } catch (error) {
        if (error instanceof HangarError && error.code === 'execution_ended')
          return { bytes: input.at + input.bytes.length };
        throw error;
      }
    },

    viewAll,
  };
}

function page<T>(rows: readonly { createdAt: Date; id: string }[], limit: number, items: T[]) {
  const last = rows[limit - 1];
  return { items, nextCursor: rows.length > limit && last ? writeCursor(last) : null };
}

/** The same request gives the same hash; the key itself does not count. */
function hashOf({ idempotencyKey: _, ...request }: Record<string, unknown>): string {
  return createHash('sha256').update(JSON.stringify(request)).digest('hex');
}

function titleOf(command: NewExecution['command']): string {
  if ('shell' in command && command.shell === OWN_SHELL.shell) return 'shell';
  const words = Array.isArray(command) ? command.join(' ') : command.shell;
  const line = words.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length <= TITLE_MOST ? line : `${line.slice(0, TITLE_MOST - 1)}…`;
}
