import { pino } from 'pino';
import { afterAll } from 'vitest';
import { unitSuite } from '../../testing/unit-suite.ts';
import { createE2bDriver } from './index.ts';
import { type E2bServer, startE2bServer } from './testing/e2b-server.ts';

const log = pino({ level: 'silent' });
let server: E2bServer;
afterAll(() => server?.[Symbol.asyncDispose]());

unitSuite('e2b', process.execPath, async (desk) => {
  server = await startE2bServer();
  const { apiUrl, sandboxUrl, account, sandboxes } = server;
  const options = { brought: desk.brought };
  return {
    ...{ module: new URL('./index.ts', import.meta.url).href, factory: 'createE2bDriver', options },
    create: () => createE2bDriver({ ...options, log }),
    settings: { apiUrl, sandboxUrl, serverUrl: desk.brought.httpUrl },
    ...{ secrets: { apiKey: account.apiKey }, image: null },
    ...{ limitsMemory: false, endsAnything: true, outlivesProgram: true },
    leftovers: async ({ id }) =>
      [...sandboxes.values()]
        .filter(({ state, metadata }) => state !== 'dead' && JSON.stringify(metadata).includes(id))
        .map((sandbox) => sandbox.id),
    shown: async () => JSON.stringify([...sandboxes.values()].map(({ metadata, envs }) => ({ metadata, envs }))),
  };
});
