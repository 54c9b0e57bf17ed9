import { pino } from 'pino';
import { afterAll } from 'vitest';
import { unitSuite } from '../../testing/unit-suite.ts';
import { createDaytonaDriver } from './index.ts';
import { type DaytonaServer, startDaytonaServer } from './testing/daytona-server.ts';

const log = pino({ level: 'silent' });
let server: DaytonaServer;
afterAll(() => server?.[Symbol.asyncDispose]());

unitSuite('daytona', process.execPath, async (desk) => {
  server = await startDaytonaServer({ graceMs: 500 });
  Object.assign(server.organization, { mostSandboxes: 100, mostCpu: 200 });
  const options = { brought: desk.brought };
  const own = createDaytonaDriver({ ...options, log });
  const settings = { apiUrl: server.url, serverUrl: desk.brought.httpUrl };
  const listed = async () => {
    const answer = await fetch(`${server.url}/sandbox`, { headers: { authorization: `Bearer ${server.key}` } });
    return JSON.stringify(await answer.json());
  };
  return {
    ...{ module: new URL('./index.ts', import.meta.url).href, factory: 'createDaytonaDriver', options, settings },
    create: () => own,
    ...{ secrets: { apiKey: server.key }, image: null },
    ...{ limitsMemory: false, endsAnything: true, outlivesProgram: true },
    leftovers: async ({ id }) => ((await listed()).includes(id) ? [`sandbox of ${id}`] : []),
    shown: listed,
  };
});
