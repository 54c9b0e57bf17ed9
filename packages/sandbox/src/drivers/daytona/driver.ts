import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { DaytonaSettings, HangarError, type ProfileCheck, type UnitCapabilities } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Brought } from '../../port/brought.ts';
import type { Driver, Reach } from '../../port/driver.ts';
import type { Machine } from '../../port/machine.ts';
import type { CallOptions, UnitKey, Units } from '../../port/unit.ts';
import { type Client, createClients, hasSdk, type LoadSdk, loadSdk, within } from './client.ts';
import { createUnits, TEST_UNIT } from './units.ts';

export interface DaytonaDriverOptions {
  readonly brought: Brought;
  readonly log: Logger;
  /** How often a running command is asked for, by which a dead connection is noticed. */
  readonly heartbeatMs?: number;
  /** How the SDK is loaded: it is an optional package. */
  readonly load?: LoadSdk;
}

export const UNITS: UnitCapabilities = {
  ...{ image: true, cpus: true, memory: true, pids: false, isolation: 'sandbox of Daytona', pause: true },
};

/** Twice without an answer is lost: within half a minute. */
export const HEARTBEAT_MS = 8_000;
const TEST_DEADLINE_S = 600;
const TEST_COMMAND_MS = 60_000;
const WHAT_IT_IS =
  'uname -srm; echo "$(nproc) cores"; echo "$(id -un) in $PWD"; command -v git >/dev/null && echo git; command -v node >/dev/null && echo node';

/** Machines as sandboxes of Daytona, hosted or one's own. */
export function createDaytonaDriver(o: DaytonaDriverOptions): Driver {
  const { brought, log, heartbeatMs = HEARTBEAT_MS, load = loadSdk } = o;
  const clients = createClients(load);
  const going = new Set<Promise<unknown>>();
  const background = (work: Promise<unknown>) => {
    const kept = work.catch(() => {}).finally(() => going.delete(kept));
    going.add(kept);
  };

  return {
    name: 'daytona',

    async describe() {
      const available = hasSdk();
      return {
        ...{ name: 'daytona', title: 'Daytona', available },
        detail: available
          ? 'Sandboxes of Daytona. A pause keeps the files, and the memory in virtual machines only.'
          : 'The package @daytona/sdk is missing. Install it where Hangar is: npm install @daytona/sdk@0.216.0',
        settingsSchema: z.toJSONSchema(DaytonaSettings, { io: 'input' }),
        capabilities: UNITS,
      };
    },

    forProfile(profile): Reach {
      const parsed = DaytonaSettings.safeParse(profile.settings);
      if (!parsed.success) {
        throw new HangarError('validation_failed', {
          message: `The settings of profile ${profile.name} are not those of the daytona driver.`,
          details: { issues: parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })) },
        });
      }
      const settings = parsed.data;
      const client = () => clients.of(profile, settings);
      const units = createUnits({ brought, profile, settings, client, log, heartbeatMs, background });
      return {
        units,
        async validate({ signal }) {
          await listed(await client(), signal);
        },
        test: (options) => testReach(client, units, options),
      };
    },

    async [Symbol.asyncDispose]() {
      await Promise.all(going);
      await clients[Symbol.asyncDispose]();
    },
  };
}

/** The cheapest call that needs the key. */
async function listed(client: Client, signal: AbortSignal): Promise<void> {
  await client.ask({ signal, doing: 'list sandboxes' }, () => client.sdk.list({ limit: 1 }).next());
}

async function testReach(client: () => Promise<Client>, units: Units, o: CallOptions): Promise<ProfileCheck[]> {
  const { signal } = o;
  const checks: ProfileCheck[] = [];
  const check = async (name: string, run: () => Promise<string>): Promise<boolean> => {
    try {
      checks.push({ name, ok: true, detail: await run(), wayOut: null });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HangarError)) throw error;
      checks.push({ name, ok: false, detail: error.message, wayOut: error.wayOut });
      return false;
    }
  };

  const reached = await check('The API accepts the key', async () => {
    const to = await client();
    const took = await timed(() => listed(to, signal));
    return `${to.host} answers in ${took} ms.`;
  });
  if (!reached) return checks;

  const key: UnitKey = { id: `${TEST_UNIT}${randomBytes(6).toString('hex')}`, attempt: 1 };
  const spec = { key, image: null, resources: {}, deadlineSeconds: TEST_DEADLINE_S } as const;
  try {
    const made = await check('A sandbox is made', async () => {
      const took = await timed(() => units.ensure({ ...spec, program: { kind: 'hold' } }, { signal, say: () => {} }));
      return `It started in ${took} ms.`;
    });
    const runs =
      made &&
      (await check('A command runs', async () => {
        const machine = await units.machine(key, o);
        const took = await timed(() => said(machine, ['true'], signal));
        return `true took ${took} ms.`;
      }));
    if (runs) {
      await check('What the machine is', async () => {
        const machine = await units.machine(key, o);
        const lines = (await said(machine, ['sh', '-c', WHAT_IT_IS], signal)).trim().split('\n');
        return lines.join(', ').slice(0, 500);
      });
    }
  } finally {
    // Also when it was given up in the middle: it costs money.
    await check('It is deleted again', async () => {
      await units.remove(key, { signal: signal.aborted ? AbortSignal.timeout(TEST_COMMAND_MS) : signal });
      return 'Nothing is left of it.';
    });
  }
  return checks;
}

/** @throws HangarError launch_failed when it does not end with 0 */
async function said(machine: Machine, argv: readonly [string, ...string[]], signal: AbortSignal): Promise<string> {
  const channel = await machine.open(argv, { signal, stdin: false });
  try {
    const printed = text(channel.stdout);
    channel.stderr.resume();
    const { code } = await within(channel.exit, signal, TEST_COMMAND_MS);
    if (code === 0) return await printed;
    throw new HangarError('launch_failed', { message: `${argv[0]} ended with ${code ?? 'no code'}.` });
  } finally {
    channel.close();
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return Math.round(performance.now() - began);
}
