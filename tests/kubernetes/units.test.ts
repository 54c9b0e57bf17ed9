import http from 'node:http';
import { pino } from 'pino';
import { afterAll, test } from 'vitest';
import type { Driver, UnitKey } from '../../packages/sandbox/src/index.ts';
import { unitSuite } from '../../packages/sandbox/src/testing/unit-suite.ts';
import type { WorkerDesk } from '../../packages/sandbox/src/testing/worker-desk.ts';
import { clusterForTests } from './cluster.ts';
import { type DriverOptions, driverForTests } from './driver-for-tests.ts';

const log = pino({ level: process.env.HANGAR_TEST_LOG ?? 'silent' });
const cluster = await clusterForTests();

if ('skipped' in cluster) test('kubernetes', ({ skip }) => skip(cluster.skipped));
else {
  const { kubectl } = cluster;
  const leave: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const step of leave.reverse()) await step();
  });

  unitSuite('kubernetes', process.execPath, async (desk) => {
    const image = await cluster.image('node');
    const { name: namespace, remove } = await cluster.namespace();
    leave.push(remove);
    const door = await openDoor(desk, cluster.hostForPods);
    leave.push(door.close);
    const options: DriverOptions = { brought: desk.brought, kubeconfig: cluster.kubeconfig, workerImage: image };
    const unitLabel = ({ id, attempt }: UnitKey) => `hangar.dev/job=${id},hangar.dev/attempt=${attempt}`;
    const created: Driver[] = [];
    leave.push(async () => {
      for (const driver of created) await driver[Symbol.asyncDispose]();
    });
    return {
      ...{ module: new URL('./driver-for-tests.ts', import.meta.url).href, factory: 'driverForTests' },
      options: { ...options },
      create: () => {
        const driver = driverForTests({ ...options, log });
        created.push(driver);
        return driver;
      },
      settings: { namespace, serverUrl: door.url, pull: 'never', startSeconds: 60 },
      ...{ image: null, limitsMemory: true, endsAnything: true },
      leftovers: async (key) => {
        const found = await kubectl(['get', 'jobs,pods,secrets', '-n', namespace, '-l', unitLabel(key), '-o', 'name']);
        return found.split('\n').filter((line) => line !== '');
      },
      shown: async (key) => {
        const what = 'jobs,pods,configmaps,events';
        const all = await kubectl(['get', what, '-n', namespace, '-o', 'json']);
        const pods = (await kubectl(['get', 'pods', '-n', namespace, '-l', unitLabel(key), '-o', 'name'])).split('\n');
        return all + (await kubectl(['logs', '-n', namespace, pods[0] ?? '']));
      },
    };
  });
}

/** Where pods reach the desk, which listens on a socket of this machine. */
async function openDoor(desk: WorkerDesk, host: string): Promise<{ url: string; close: () => Promise<void> }> {
  const server = http.createServer((request, response) => {
    const { method, url, headers } = request;
    const onward = http.request({ socketPath: `${desk.brought.socketDir}/worker.sock`, method, path: url, headers });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://${host}:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
