import type { Sandbox } from 'e2b';
import { afterEach, expect, test, vi } from 'vitest';
import { createMachine } from './machine.ts';
import type { E2bClient } from './sdk.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** Nothing comes back any more: each call of the SDK ends with its own deadline. */
const silent = ({ requestTimeoutMs }: { requestTimeoutMs: number }) =>
  new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(Object.assign(new Error('late'), { name: 'TimeoutError' })), requestTimeoutMs);
  });

test('a link and an API that fall silent at once are noticed within 30 s', async () => {
  vi.useFakeTimers();
  const { promise: never } = Promise.withResolvers<never>();
  const handle = { wait: () => never, disconnect: async () => undefined };
  const sandbox = { sandboxId: 'x', commands: { run: async () => handle }, isRunning: silent } as unknown as Sandbox;
  const client = { Sandbox: { getInfo: (_id: string, o: { requestTimeoutMs: number }) => silent(o) } };
  const machine = createMachine({ client: client as unknown as E2bClient, sandbox });
  const channel = await machine.open(['sleep', '977'], { signal: new AbortController().signal, stdin: false });
  for (const stream of [channel.stdout, channel.stderr]) stream.on('error', () => undefined);
  const lost = channel.exit.then(
    () => 'it ended',
    (error: { code?: string }) => error.code,
  );
  // At worst it begins just after an answer: so long until it is asked for again.
  await vi.advanceTimersByTimeAsync(30_000);
  vi.useRealTimers();
  expect(await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, 5_000, 'still waits'))])).toBe(
    'connection_lost',
  );
});
