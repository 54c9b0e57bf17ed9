import { type E2bSettings, HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
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

export const META = { instance: 'hangarInstance', unit: 'hangarUnit', until: 'hangarUntil' } as const;

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
  instanceId: string;
  log: Logger;
}): Units {
  const { settings, instanceId, log } = o;

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

  return {
    async ensure(spec, call) {
      if (spec.program.kind === 'brought') {
        throw new HangarError('unsupported', {
          message: `The e2b driver cannot bring the program ${spec.program.name} along: its sandboxes are machines to work in.`,
        });
      }
      const client = await o.client();
      const there = await find(client, spec.key, call);
      if (there.length > 0) return keepOldest(client, there, call);
      call.say(`starting a sandbox of E2B from template ${spec.image ?? settings.template}`);
      try {
        await create(client, spec, call);
      } catch (error) {
        if (wasRefused(error) || call.signal.aborted) throw error;
        // Its answer got lost, which says nothing of whether it was made.
        const made = await find(client, spec.key, call).catch(() => []);
        if (made.length === 0) throw error;
        return keepOldest(client, made, call);
      }
      // Another server, or a call of ours whose answer came late, may have made one at the same time.
      await keepOldest(client, await find(client, spec.key, call), call);
    },

    async inspect(key, call) {
      const [one] = await find(await o.client(), key, call);
      return { kind: one ? one.state : 'missing' };
    },

    async stop(key, { signal, graceMs }) {
      const client = await o.client();
      for (const one of await find(client, key, { signal })) {
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
      const { sandboxId, state } = await the(client, key, call);
      // To connect would resume it.
      if (state === 'paused') {
        throw new HangarError('driver_unavailable', {
          message: `The sandbox of ${nameOfUnit(key)} is paused.`,
          wayOut: 'Resume it first.',
        });
      }
      const sandbox = await client.call(call, (opts) =>
        client.Sandbox.connect(sandboxId, { ...opts, timeoutMs: CONNECT_MS }),
      );
      return createMachine({ client, sandbox });
    },

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

  async function askToEnd(
    client: E2bClient,
    { sandboxId }: Found,
    { signal, graceMs }: CallOptions & { graceMs: number },
  ) {
    const seconds = Math.ceil(graceMs / 1000);
    const within = AbortSignal.any([signal, AbortSignal.timeout(graceMs + CALL_MS)]);
    try {
      const sandbox = await client.call({ signal }, (opts) =>
        client.Sandbox.connect(sandboxId, { ...opts, timeoutMs: CONNECT_MS }),
      );
      const machine = createMachine({ client, sandbox });
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
      log.debug({ err: error, sandbox: sandboxId }, 'The processes of a sandbox could not be asked to end');
    }
  }
}

function unlessGone(error: unknown): void {
  if (isNoSandbox(error) || (error instanceof HangarError && error.code === 'sandbox_gone')) return;
  throw error;
}
