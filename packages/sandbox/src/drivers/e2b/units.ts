import { type E2bSettings, HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
import { programFile } from '../../brought/programs.ts';
import { type Ask, createRemotePrograms } from '../../brought/remote/programs.ts';
import { urlOfServer } from '../../brought/remote/way-to-server.ts';
import { createTalk } from '../../machine/talk.ts';
import type { Brought } from '../../port/brought.ts';
import type { Machine } from '../../port/machine.ts';
import type { CallOptions, UnitKey, UnitSpec, Units } from '../../port/unit.ts';
import { isNoSandbox, messageOf, statusOf, wasRefused } from './errors.ts';
import { createMachine } from './machine.ts';
import { CALL_MS, type E2bClient } from './sdk.ts';
import { STOP_SCRIPT } from './stop-script.ts';

/** A unit without an end of its own is renewed by whoever holds it; every plan allows so much at once. */
const HOLD_MS = 3_600_000;
/** `connect` is how the SDK opens a machine, and it only ever extends: so little changes nothing. */
const CONNECT_MS = 60_000;
/** A list that goes on for longer is none. */
const MOST_PAGES = 200;
/** What E2B may round off. */
const SLACK_MS = 60_000;

export const META = {
  ...{ instance: 'hangarInstance', unit: 'hangarUnit', until: 'hangarUntil' },
  /** Of a unit that runs what was brought: its name. */
  program: 'hangarProgram',
} as const;
/** Where units are in a sandbox, of which each has one. */
const FOLDER = '~/.hangar';

const Found = z.object({
  sandboxId: z.string().regex(/^[A-Za-z0-9-]{1,100}$/),
  metadata: z.record(z.string(), z.string()),
  startedAt: z.date(),
  endAt: z.date(),
  state: z.enum(['running', 'paused']),
});
type Found = z.infer<typeof Found>;

const nameOfUnit = ({ id, attempt }: UnitKey): string => `${id}-${attempt}`;
function unitOfName(name: string): UnitKey | null {
  const [, id, attempt] = /^(.+)-(\d{1,9})$/.exec(name) ?? [];
  return id === undefined || attempt === undefined ? null : { id, attempt: Number(attempt) };
}

/** The sandboxes of one Hangar on an account, each a unit that is told by its metadata. */
export function createUnits(o: {
  client: () => Promise<E2bClient>;
  settings: E2bSettings;
  brought: Brought;
  log: Logger;
}): Units {
  const { settings, brought, log } = o;
  const { instanceId } = brought;
  const toServer = () =>
    urlOfServer({
      ...{ serverUrl: settings.serverUrl, httpUrl: brought.httpUrl },
      ...{ isHere: false, machine: 'A sandbox of E2B' },
    });
  const place = { folder: FOLDER, instanceId };
  const programs = createRemotePrograms(brought, { place, ownNode: true, stays: false });

  /** Oldest first: of two of one unit the oldest is the one, for whoever looks. */
  async function list(client: E2bClient, metadata: Record<string, string>, { signal }: CallOptions): Promise<Found[]> {
    const pages = client.Sandbox.list({ query: { metadata, state: ['running', 'paused'] }, limit: 100 });
    const found: Found[] = [];
    for (let page = 0; pages.hasNext; page += 1) {
      if (page === MOST_PAGES) {
        throw new HangarError('driver_unavailable', { message: `E2B at ${client.host}: its list has no end.` });
      }
      const items = await client.call({ signal }, (opts) => pages.nextItems(opts));
      for (const item of items) {
        const one = Found.safeParse(item);
        // What a service lists is not believed to be what was asked for: this is about to be used, or removed.
        if (one.success && Object.entries(metadata).every(([key, value]) => one.data.metadata[key] === value)) {
          found.push(one.data);
        }
      }
    }
    return found.toSorted((a, b) => +a.startedAt - +b.startedAt || (a.sandboxId < b.sandboxId ? -1 : 1));
  }
  const find = (client: E2bClient, key: UnitKey, call: CallOptions) =>
    list(client, { [META.instance]: instanceId, [META.unit]: nameOfUnit(key) }, call);

  const kill = (client: E2bClient, { sandboxId }: Found, { signal }: CallOptions): Promise<boolean> =>
    client.call({ signal }, (opts) => client.Sandbox.kill(sandboxId, opts));

  async function keepOldest(client: E2bClient, [, ...younger]: Found[], call: CallOptions): Promise<void> {
    for (const one of younger) {
      log.info({ sandbox: one.sandboxId, unit: one.metadata[META.unit] }, 'A second sandbox of one unit is removed');
      await kill(client, one, call);
    }
  }

  async function the(client: E2bClient, key: UnitKey, call: CallOptions): Promise<Found> {
    const [one] = await find(client, key, call);
    if (one) return one;
    throw new HangarError('sandbox_gone', { message: `E2B has no sandbox of ${nameOfUnit(key)} any more.` });
  }

  /** Never later than the end it was made with. */
  const untilOf = ({ metadata }: Found): number =>
    Number(metadata[META.until] ?? Number.NaN) || Number.POSITIVE_INFINITY;

  async function create(
    client: E2bClient,
    spec: UnitSpec,
    call: CallOptions & { say: (reason: string) => void },
  ): Promise<void> {
    const template = spec.image ?? settings.template;
    const asked = spec.deadlineSeconds === null ? null : spec.deadlineSeconds * 1000;
    const metadata = {
      [META.instance]: instanceId,
      [META.unit]: nameOfUnit(spec.key),
      ...(spec.program.kind === 'hold' ? {} : { [META.program]: spec.program.name }),
      ...(asked === null ? {} : { [META.until]: String(Date.now() + asked) }),
    };
    const make = (timeoutMs: number) =>
      client.call({ signal: call.signal, template }, async (opts) => {
        try {
          await client.Sandbox.create(template, {
            ...{ ...opts, requestTimeoutMs: 2 * CALL_MS, timeoutMs, metadata, lifecycle: { onTimeout: 'kill' } },
            allowInternetAccess: settings.internet,
          });
          return null;
        } catch (error) {
          const hours =
            statusOf(error) === 400 && /timeout cannot be greater than (\d+) hours?/i.exec(messageOf(error))?.[1];
          if (!hours) throw error;
          return Number(hours);
        }
      });
    const hours = await make(asked ?? HOLD_MS);
    if (hours === null) return;
    call.say(`the plan of this E2B account ends a sandbox after ${hours} h`);
    log.warn(
      { unit: nameOfUnit(spec.key), hours },
      'E2B ends the sandbox earlier than asked for: the plan allows no more',
    );
    if ((await make(hours * 3_600_000)) !== null) {
      throw new HangarError('driver_quota', { message: 'E2B refuses the time that it said it allows.' });
    }
  }

  async function connected(client: E2bClient, { sandboxId }: Found, call: CallOptions): Promise<Machine> {
    const sandbox = await client.call(call, (opts) =>
      client.Sandbox.connect(sandboxId, { ...opts, timeoutMs: CONNECT_MS }),
    );
    return createMachine({ client, sandbox });
  }
  const asking = async (client: E2bClient, one: Found, call: CallOptions): Promise<Ask> =>
    createTalk(await connected(client, one, call), undefined).ask;

  async function made(
    client: E2bClient,
    spec: UnitSpec,
    call: CallOptions & { say: (reason: string) => void },
  ): Promise<void> {
    const there = await find(client, spec.key, call);
    if (there.length > 0) return keepOldest(client, there, call);
    call.say(`starting a sandbox of E2B from template ${spec.image ?? settings.template}`);
    try {
      await create(client, spec, call);
    } catch (error) {
      if (wasRefused(error) || call.signal.aborted) throw error;
      // Its answer got lost, which says nothing of whether it was made.
      const found = await find(client, spec.key, call).catch(() => []);
      if (found.length === 0) throw error;
      return keepOldest(client, found, call);
    }
    // Another server, or a call of ours whose answer came late, may have made one at the same time.
    await keepOldest(client, await find(client, spec.key, call), call);
  }

  return {
    async ensure(spec, call) {
      if (spec.program.kind === 'brought') programFile(brought, spec.program.name);
      const url = spec.program.kind === 'hold' ? null : toServer();
      const client = await o.client();
      await made(client, spec, call);
      if (url === null) return;
      const one = await the(client, spec.key, call);
      // To connect would resume it: what is paused has begun.
      if (one.state === 'running') await programs.start(await asking(client, one, call), spec, url, call);
    },

    async inspect(key, call) {
      const client = await o.client();
      const [one] = await find(client, key, call);
      const program = one?.metadata[META.program];
      if (one === undefined || one.state === 'paused' || program === undefined)
        return { kind: one ? one.state : 'missing' };
      try {
        return await programs.inspect(await asking(client, one, call), key, program, call);
      } catch (error) {
        unlessGone(error);
        return { kind: 'missing' };
      }
    },

    async lastWords(key, call) {
      const client = await o.client();
      const [one] = await find(client, key, call);
      if (one?.state !== 'running' || one.metadata[META.program] === undefined) return [];
      return programs.lastWords(await asking(client, one, call), key, call);
    },

    async stop(key, { signal, graceMs }) {
      const client = await o.client();
      for (const one of await find(client, key, { signal })) {
        if (one.metadata[META.program] !== undefined) {
          // The sandbox lives on, or nobody could tell how the program ended; to connect resumes what is paused.
          try {
            await programs.end(await asking(client, one, { signal }), key, { signal, graceMs });
          } catch (error) {
            unlessGone(error);
          }
          continue;
        }
        if (one.state === 'paused') continue;
        if (graceMs > 0) await askToEnd(client, one, { signal, graceMs });
        // Without its memory: no process is left, the files are.
        await client
          .call({ signal }, (opts) => client.Sandbox.pause(one.sandboxId, { ...opts, keepMemory: false }))
          .catch(unlessGone);
      }
    },

    async remove(key, call) {
      const client = await o.client();
      for (const one of await find(client, key, call)) await kill(client, one, call);
    },

    async sweep(isOwned, call) {
      const client = await o.client();
      const removed: string[] = [];
      const seen = new Set<string>();
      let kept = 0;
      for (const one of await list(client, { [META.instance]: instanceId }, call)) {
        call.signal.throwIfAborted();
        const name = one.metadata[META.unit];
        // That of a test of a profile, which ends by itself in minutes.
        if (name === undefined) continue;
        const key = unitOfName(name);
        if (key !== null && !seen.has(name) && (await isOwned(key))) {
          seen.add(name);
          kept += 1;
          continue;
        }
        await kill(client, one, call);
        removed.push(`E2B sandbox ${one.sandboxId} of ${JSON.stringify(name.slice(0, 100))}`);
      }
      return { removed, kept };
    },

    async machine(key, call) {
      const client = await o.client();
      const one = await the(client, key, call);
      // To connect would resume it.
      if (one.state === 'paused') {
        throw new HangarError('driver_unavailable', {
          message: `The sandbox of ${nameOfUnit(key)} is paused.`,
          wayOut: 'Resume it first.',
        });
      }
      return connected(client, one, call);
    },

    serverUrl: async () => toServer(),

    async pause(key, call) {
      const client = await o.client();
      const { sandboxId, state } = await the(client, key, call);
      if (state === 'running') await client.call(call, (opts) => client.Sandbox.pause(sandboxId, opts));
    },

    async resume(key, call) {
      const client = await o.client();
      const one = await the(client, key, call);
      const timeoutMs = Math.min(HOLD_MS, untilOf(one) - Date.now());
      if (timeoutMs <= 0) {
        await kill(client, one, call);
        throw new HangarError('sandbox_gone', {
          message: `The time of ${nameOfUnit(key)} was over while it was paused.`,
        });
      }
      if (one.state === 'paused') {
        await client.call(call, (opts) => client.Sandbox.connect(one.sandboxId, { ...opts, timeoutMs }));
      }
    },

    async renew(key, ms, call) {
      const client = await o.client();
      const one = await the(client, key, call);
      const target = Math.min(Date.now() + ms, untilOf(one));
      // What is paused has no clock, and what E2B is told is the new end, also when it is nearer.
      if (one.state === 'paused' || one.endAt.getTime() >= target) return;
      await client.call(call, (opts) =>
        client.Sandbox.setTimeout(one.sandboxId, Math.max(1000, target - Date.now()), opts),
      );
      const { endAt } = await client.call(call, (opts) => client.Sandbox.getInfo(one.sandboxId, opts));
      if (endAt.getTime() < target - SLACK_MS) {
        log.warn(
          { unit: nameOfUnit(key), endAt },
          'E2B ends the sandbox earlier than asked for: the plan allows no more',
        );
      }
    },
  };

  async function askToEnd(client: E2bClient, one: Found, { signal, graceMs }: CallOptions & { graceMs: number }) {
    const seconds = Math.ceil(graceMs / 1000);
    const within = AbortSignal.any([signal, AbortSignal.timeout(graceMs + CALL_MS)]);
    try {
      const machine = await connected(client, one, { signal });
      const argv = ['sh', '-c', STOP_SCRIPT, 'hangar-stop', String(seconds)] as const;
      const channel = await machine.open(argv, { signal: within, stdin: false, user: 'root' });
      channel.stdout.resume();
      channel.stderr.resume();
      const stop = () => channel.close();
      within.addEventListener('abort', stop, { once: true });
      await channel.exit.finally(() => within.removeEventListener('abort', stop));
    } catch (error) {
      signal.throwIfAborted();
      // To be asked is a courtesy: what comes next ends them all the same.
      log.debug({ err: error, sandbox: one.sandboxId }, 'The processes of a sandbox could not be asked to end');
    }
  }
}

function unlessGone(error: unknown): void {
  if (isNoSandbox(error) || (error instanceof HangarError && error.code === 'sandbox_gone')) return;
  throw error;
}
