import { pino } from 'pino';
import { describe, test } from 'vitest';
import { unitSuite } from '../../testing/unit-suite.ts';
import { containerName } from './container.ts';
import { createEngine } from './engine.ts';
import { createDockerDriver } from './index.ts';
import { dockerForTests } from './testing/index.ts';

const log = pino({ level: 'silent' });
const docker = await dockerForTests();

if ('skipped' in docker) describe.skip('docker', () => test(`skipped: ${docker.skipped}`, () => {}));
else {
  const { host, image } = docker;
  const engine = createEngine(host);
  const call = () => ({ signal: AbortSignal.timeout(20_000) });

  unitSuite('docker', process.execPath, async (desk) => {
    const options = { brought: desk.brought };
    return {
      ...{ module: new URL('./index.ts', import.meta.url).href, factory: 'createDockerDriver', options },
      create: () => createDockerDriver({ ...options, log }),
      ...{ settings: { host, image, network: 'none' }, image: null, limitsMemory: true, endsAnything: true },
      leftovers: async (key) => {
        const filters = JSON.stringify({ name: [containerName(key)] });
        const found = await engine.json('GET', '/containers/json', { ...call(), query: { all: '1', filters } });
        return Array.isArray(found) ? found.map((one) => JSON.stringify(one)) : [];
      },
      shown: async (key) => {
        const name = containerName(key);
        const query = { stdout: '1', stderr: '1' };
        const logs = await engine.bytes(`/containers/${name}/logs`, { ...call(), query });
        return JSON.stringify(await engine.json('GET', `/containers/${name}/json`, call())) + logs.toString('latin1');
      },
    };
  });
}
