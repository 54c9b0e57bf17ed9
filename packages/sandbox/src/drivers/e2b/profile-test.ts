import { randomBytes } from 'node:crypto';
import { type E2bSettings, HangarError, type ProfileCheck } from '@hangar/contract';
import type { Machine } from '../../port/machine.ts';
import type { CallOptions } from '../../port/unit.ts';
import { createMachine } from './machine.ts';
import { CALL_MS, type E2bClient, sdkVersion } from './sdk.ts';
import { META } from './units.ts';

/** Should nobody be there to remove it, it ends by itself. */
const TEST_MS = 180_000;
const MOST_OUTPUT = 16 * 1024;
const ROUNDS = 5;

const LOOK = 'uname -sm; id -un; nproc; grep MemTotal /proc/meminfo; df -Pk / | tail -n 1; echo "$HOME"';

/** Package, key, then a sandbox that is made as a unit, with a command in it, and removed again. */
export async function testProfile(o: {
  client: () => Promise<E2bClient>;
  settings: E2bSettings;
  instanceId: string;
  call: CallOptions;
}): Promise<ProfileCheck[]> {
  const { settings, call } = o;
  const { signal } = call;
  const checks: ProfileCheck[] = [];
  const step = async <T>(name: string, work: () => Promise<{ said: string; value: T }>): Promise<T | null> => {
    try {
      const { said, value } = await work();
      checks.push({ name, ok: true, detail: said, wayOut: null });
      return value;
    } catch (error) {
      signal.throwIfAborted();
      const known = error instanceof HangarError ? error : new HangarError('driver_unavailable', { cause: error });
      checks.push({ name, ok: false, detail: known.message, wayOut: known.wayOut });
      return null;
    }
  };

  const client = await step('Package and key', async () => {
    const value = await o.client();
    return { said: `e2b ${sdkVersion()}, a key is set`, value };
  });
  if (!client) return checks;
  const accepted = await step('Key accepted', async () => {
    const began = performance.now();
    const pages = client.Sandbox.list({ limit: 1 });
    await client.call(call, (opts) => pages.nextItems(opts));
    return { said: `${client.host} answers in ${Math.round(performance.now() - began)} ms`, value: true };
  });
  if (!accepted) return checks;

  const sandbox = await step('Sandbox', async () => {
    const began = performance.now();
    const value = await client.call({ signal, template: settings.template }, (opts) =>
      client.Sandbox.create(settings.template, {
        ...{ ...opts, requestTimeoutMs: 2 * CALL_MS, timeoutMs: TEST_MS, lifecycle: { onTimeout: 'kill' } },
        metadata: { [META.instance]: o.instanceId, hangarTest: randomBytes(6).toString('hex') },
        allowInternetAccess: settings.internet,
      }),
    );
    const ms = Math.round(performance.now() - began);
    return { said: `Template ${settings.template}, there after ${ms} ms`, value };
  });
  if (!sandbox) return checks;
  try {
    const machine = createMachine({ client, sandbox });
    const ran = await step('Command', async () => {
      const took: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const began = performance.now();
        await output(machine, ['true'], signal);
        took.push(performance.now() - began);
      }
      return { said: `true runs, the fastest of ${ROUNDS} in ${Math.round(Math.min(...took))} ms`, value: true };
    });
    if (ran) {
      await step('Machine', async () => {
        const printed = await output(machine, ['sh', '-c', LOOK], signal);
        return { said: describeMachine(printed), value: true };
      });
    }
  } finally {
    await client.Sandbox.kill(sandbox.sandboxId, { requestTimeoutMs: CALL_MS }).then(
      () => checks.push({ name: 'Removed', ok: true, detail: 'The sandbox is gone again', wayOut: null }),
      () =>
        checks.push({
          ...{ name: 'Removed', ok: false, detail: `Sandbox ${sandbox.sandboxId} could not be removed` },
          wayOut: `It ends by itself after ${TEST_MS / 60_000} minutes.`,
        }),
    );
  }
  return checks;
}

function describeMachine(printed: string): string {
  const [system = '', user = '', cpus = '', memory = '', disk = '', home = ''] = printed.split('\n');
  const gib = (kib: string | undefined) => `${(Number(kib ?? 0) / 1024 / 1024).toFixed(1)} GiB`;
  const free = disk.trim().split(/\s+/)[3];
  const parts = [
    `${system} as ${user}`,
    `${cpus} CPU`,
    `${gib(/\d+/.exec(memory)?.[0])} of memory`,
    `${gib(free)} of disk free`,
    `home ${home}`,
  ];
  return parts.join(', ').slice(0, 300);
}

/** What a short command prints. @throws HangarError launch_failed when it ends otherwise than with 0 */
async function output(machine: Machine, argv: readonly [string, ...string[]], signal: AbortSignal): Promise<string> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(2 * CALL_MS)]);
  const channel = await machine.open(argv, { signal: within, stdin: false });
  const stop = () => channel.close();
  within.addEventListener('abort', stop, { once: true });
  try {
    let text = '';
    let errors = '';
    channel.stdout.on('data', (chunk: Buffer) => {
      if (text.length < MOST_OUTPUT) text += chunk;
    });
    channel.stderr.on('data', (chunk: Buffer) => {
      if (errors.length < 200) errors += chunk;
    });
    const { code, signal: by } = await channel.exit;
    if (code !== 0) {
      throw new HangarError('launch_failed', {
        message: `${argv[0]} ended with ${by ?? code}: ${errors.trim().slice(0, 200)}`,
      });
    }
    return text;
  } finally {
    within.removeEventListener('abort', stop);
    channel.close();
  }
}
