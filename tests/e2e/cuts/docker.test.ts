import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../../packages/sandbox/src/drivers/docker/engine.ts';
import { dockerForTests } from '../../../packages/sandbox/src/drivers/docker/testing/index.ts';
import { CUT_MS, CUT_SECONDS, CUT_TEST_MS } from './cut-length.ts';
import { CutProxy } from './proxy.ts';
import { counted, countedTo, counting, ServerHere } from './server-here.ts';

const docker = await dockerForTests();
const skipped = 'skipped' in docker ? docker.skipped : null;
if (skipped) console.warn(`the link between server and Docker: skipped: ${skipped}`);
const host = 'skipped' in docker ? '' : docker.host;

const LINES = Math.ceil(CUT_MS / 100) + 100;
const servers: { server: ServerHere; link: CutProxy }[] = [];

describe.skipIf(skipped !== null).concurrent('the link between server and Docker', () => {
  beforeAll(async () => {
    if ('skipped' in docker) return;
    for (let n = 0; n < 2; n++) {
      const server = await ServerHere.start();
      const path = join(server.dir, 'docker.sock');
      const link = await CutProxy.open({ path: docker.host.slice('unix://'.length) }, { path });
      const set = [`host=unix://${path}`, `image=${docker.image}`, 'pull=never', 'network=none'];
      const made = await server.cli.hangar(
        ['profiles', 'create', 'boxes', '--driver', 'docker', ...set.flatMap((one) => ['--set', one])],
        { env: server.env() },
      );
      expect(made.exitCode, made.stderr).toBe(0);
      servers.push({ server, link });
    }
  }, 180_000);
  afterAll(async () => {
    for (const { server, link } of servers) {
      await server.close();
      await link.close();
    }
  });

  it.each([
    {
      how: 'cut',
      at: 0,
      why: /^Docker at unix:.*: (the connection was|other side|socket hang up|there is no).* Trying again$/,
    },
    // A call is given up after 10 s.
    { how: 'silence', at: 1, why: CUT_SECONDS > 12 ? /^Docker at unix:.*: no answer in time\. Trying again$/ : null },
  ] as const)(
    '$how: the job that runs goes on, one that begins says why it waits, both end well',
    async ({ how, at, why }) => {
      const one = servers[at];
      if (!one) throw new Error('no server');
      const { server, link } = one;
      const running = await server.send(counting(LINES, 0.1), ['--on', 'boxes']);
      await server.saw(running, 'line 10');
      link[how]();
      const cutAt = Date.now();
      const begun = await server.send(counting(3, 0.1), ['--on', 'boxes']);
      const meanwhile = why ? server.watch(begun, ({ reason }) => why.test(reason), CUT_MS) : null;
      const said = await meanwhile?.then(({ job }) => job.reason);
      await sleep(Math.max(0, cutAt + CUT_MS - Date.now()));
      expect((await server.job(running)).state).toBe('running');
      expect((await server.job(begun)).state).toBe('starting');
      link.heal();
      const healed = performance.now();
      for (const [id, lines] of [
        [begun, 3],
        [running, LINES],
      ] as const) {
        const { job, states } = await server.ended(id);
        expect(job).toMatchObject({ state: 'succeeded', failure: null, diff: { filesChanged: 1, partial: false } });
        expect(states).not.toContain('lost');
        expect(counted(await server.log(id))).toEqual(countedTo(lines));
        if (id === begun) console.log(`${how}: "${said}", started ${Math.round(performance.now() - healed)} ms after`);
      }
      for (const id of [begun, running]) await gone(id);
    },
    CUT_TEST_MS,
  );
});

/** Until no container of a job is left. */
async function gone(id: string): Promise<void> {
  const engine = createEngine(host);
  const filters = JSON.stringify({ name: [`hangar-${id}-`] });
  const deadline = Date.now() + 90_000;
  for (;;) {
    const signal = AbortSignal.timeout(20_000);
    const left = await engine.json('GET', '/containers/json', { query: { all: '1', filters }, signal });
    if (Array.isArray(left) && left.length === 0) break;
    if (Date.now() > deadline) throw new Error(`a container of ${id} is left: ${JSON.stringify(left)}`);
    await sleep(300);
  }
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(id);
}
