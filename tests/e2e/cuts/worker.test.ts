import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CUT_MS, CUT_TEST_MS } from './cut-length.ts';
import { counted, countedTo, counting, ServerHere } from './server-here.ts';

const NO_WORD = /^No word from the worker since \d{4}-.*; waiting for it$/;
const servers: ServerHere[] = [];
/** Each cut has a server of its own: a link is shared by all workers of one. */
beforeAll(async () => {
  for (let n = 0; n < 4; n++) servers.push(await ServerHere.start({ patience: { silenceMs: 3_000 } }));
}, 120_000);
afterAll(async () => {
  for (const server of servers) await server.close();
});

async function proveWhole(server: ServerHere, id: string, lines: number): Promise<void> {
  const { job, states } = await server.ended(id);
  expect(job, server.cli.output).toMatchObject({
    state: 'succeeded',
    failure: null,
    diff: { filesChanged: 1, partial: false },
  });
  expect(states).not.toContain('lost');
  expect(counted(await server.log(id))).toEqual(countedTo(lines));
  const pulled = await server.cli.hangar(['pull', id, '--output', '-'], { env: server.env(), cwd: server.dir });
  expect(pulled.stdout).toContain('+done');
}

describe.concurrent('the link between worker and server', () => {
  it(
    'cut while the agent works, and until after its end: nothing is lost, the reason says what is waited for',
    async () => {
      const [server] = servers;
      if (!server) throw new Error('no server');
      const lines = Math.ceil(CUT_MS / 100) + 20;
      const id = await server.send(counting(lines, 0.05));
      await server.saw(id, 'line 20');
      server.workers.cut();
      const meanwhile = server.watch(id, ({ reason }) => NO_WORD.test(reason), CUT_MS);
      await sleep(CUT_MS);
      const { job } = await meanwhile;
      expect(job.state).toBe('running');
      server.workers.heal();
      await proveWhole(server, id, lines);
    },
    CUT_TEST_MS,
  );

  it(
    'dead without a word: the worker notices, connects anew and goes on',
    async () => {
      const [, server] = servers;
      if (!server) throw new Error('no server');
      const lines = Math.ceil(CUT_MS / 100) + 60;
      const id = await server.send(counting(lines, 0.1));
      await server.saw(id, 'line 20');
      server.workers.silence();
      const meanwhile = server.watch(id, ({ reason }) => NO_WORD.test(reason), CUT_MS);
      await sleep(CUT_MS);
      expect((await meanwhile).job.state).toBe('running');
      server.workers.heal();
      await proveWhole(server, id, lines);
    },
    CUT_TEST_MS,
  );

  it(
    'cut again and again in short turns',
    async () => {
      const [, , server] = servers;
      if (!server) throw new Error('no server');
      const id = await server.send(counting(200, 0.04));
      await server.saw(id, 'line 5');
      for (let turn = 0; turn < 12; turn++) {
        server.workers.cut();
        await sleep(40 * turn);
        server.workers.heal();
        await sleep(400 - 30 * turn);
      }
      await proveWhole(server, id, 200);
    },
    CUT_TEST_MS,
  );

  it(
    'slow, 50 kB/s each way, and a job that talks faster: it takes longer, and nothing else happens',
    async () => {
      const [, , , server] = servers;
      if (!server) throw new Error('no server');
      server.workers.be({ bytesPerSecond: 50_000, latencyMs: 50 });
      const filler = 'x'.repeat(200);
      const id = await server.send(
        `for i in $(seq 1 3000); do echo "line $i"; echo ${filler}; done; head -c 150000 /dev/urandom > noise.bin; echo done > result.txt`,
      );
      const { job, states, reasons } = await server.ended(id);
      expect(job).toMatchObject({ state: 'succeeded', diff: { filesChanged: 2, partial: false } });
      expect(states).not.toContain('lost');
      expect(reasons.filter((reason) => NO_WORD.test(reason))).toEqual([]);
      expect(counted(await server.log(id))).toEqual(countedTo(3000));
      expect(server.workers.counts.there).toBeGreaterThan(700_000);
    },
    CUT_TEST_MS,
  );
});
