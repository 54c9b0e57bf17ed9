import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRepo } from '../server-process.ts';
import { CUT_MS, CUT_TEST_MS } from './cut-length.ts';
import { CutProxy } from './proxy.ts';
import { counted, countedTo, counting, ServerHere } from './server-here.ts';

const LINES = Math.ceil(CUT_MS / 100) + 60;
const NOISE_BYTES = 900_000;
const links: CutProxy[] = [];
let server: ServerHere;
/** A job that goes on while links are cut, and one that has ended and left a large diff. */
let running: string;
let ended: string;

beforeAll(async () => {
  server = await ServerHere.start();
  ended = await server.send(`head -c ${NOISE_BYTES} /dev/urandom | base64 > noise.txt`);
  await server.ended(ended);
  running = await server.send(counting(LINES, 0.1));
  await server.saw(running, 'line 10');
}, 120_000);
afterAll(async () => {
  for (const link of links) await link.close();
  await server?.close();
});

async function link(): Promise<CutProxy> {
  const made = await CutProxy.open({ port: server.cli.port });
  links.push(made);
  return made;
}
function hangar(over: CutProxy, args: readonly string[], cwd = server.dir) {
  return server.cli.hangar(args, { env: server.env(over), cwd, timeoutMs: CUT_TEST_MS });
}
/** Until so many bytes came over a link. */
async function came(over: CutProxy, bytes: number): Promise<void> {
  for (let turn = 0; turn < 600 && over.counts.back < bytes; turn++) await sleep(50);
  expect(over.counts.back).toBeGreaterThan(bytes);
}
const times = (text: string, words: string) => text.split(words).length - 1;

describe.concurrent('the link between command line and server', () => {
  it(
    'cut under logs --follow: it says so, comes back by itself, and shows each line once',
    async () => {
      const over = await link();
      const following = hangar(over, ['logs', running, '--follow']);
      await came(over, 2_000);
      over.cut();
      await sleep(CUT_MS);
      over.heal();
      const { exitCode, stdout, stderr } = await following;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      expect(counted(stdout.split('\n'))).toEqual(countedTo(LINES));
      expect(times(stderr, 'Connection lost')).toBe(1);
      expect(times(stderr, 'Connected again.')).toBe(1);
    },
    CUT_TEST_MS,
  );

  it(
    'dead without a word under logs --follow: noticed by its silence',
    async () => {
      const over = await link();
      const following = hangar(over, ['logs', running, '--follow']);
      await came(over, 2_000);
      over.silence();
      await sleep(CUT_MS);
      over.heal();
      const { exitCode, stdout, stderr } = await following;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      expect(counted(stdout.split('\n'))).toEqual(countedTo(LINES));
      expect(stderr).toContain('Connection lost');
    },
    CUT_TEST_MS,
  );

  it(
    'cut under run --wait, and slow from then on: the command ends as the job does',
    async () => {
      const over = await link();
      const repo = await makeRepo(join(server.dir, 'waited'));
      const spec = join(server.dir, 'waited.md');
      const filler = 'y'.repeat(300);
      writeFileSync(
        spec,
        `# Wait\n\n\`\`\`sh\n${counting(LINES, 0.1)}; for i in $(seq 1 1000); do echo "more $i ${filler}"; done; exit 3\n\`\`\`\n`,
      );
      const waiting = hangar(over, ['run', '--cloud', '--wait', '--spec', spec], repo);
      await came(over, 4_000);
      over.cut();
      await sleep(CUT_MS);
      over.be({ bytesPerSecond: 50_000, latencyMs: 20 });
      over.heal();
      const { exitCode, stdout, stderr } = await waiting;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 5 });
      expect(stderr).toContain('failed after');
      expect(counted(stdout.split('\n'))).toEqual(countedTo(LINES));
      const more = stdout.split('\n').flatMap((line) => /^more (\d+) y{300}$/.exec(line)?.[1] ?? []);
      expect(more).toEqual(Array.from({ length: 1000 }, (_, index) => String(index + 1)));
    },
    CUT_TEST_MS,
  );

  it.each(['cut', 'silence'] as const)(
    '%s in the middle of a diff: pull fetches it again and has all of it',
    async (how) => {
      const over = await link();
      over.be({ bytesPerSecond: 400_000 });
      const file = join(server.dir, `pulled-${how}.diff`);
      const pulling = hangar(over, ['pull', ended, '--output', file]);
      await came(over, 300_000);
      over[how]();
      await sleep(CUT_MS);
      over.be({});
      over.heal();
      const { exitCode, stderr } = await pulling;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      expect(times(stderr, 'Connection lost')).toBe(1);
      expect(stderr).toContain('Connected again.');
      const whole = await (await server.get(`/jobs/${ended}/artifacts/diff`)).text();
      expect(readFileSync(file, 'utf8') === whole).toBe(true);
      expect(whole.length).toBeGreaterThan(NOISE_BYTES);
    },
    CUT_TEST_MS,
  );

  it(
    'dead from the start: a command ends with what is wrong, and does not wait for ever',
    async () => {
      const over = await link();
      over.silence();
      const { exitCode, stdout } = await hangar(over, ['logs', running, '--json']);
      expect(exitCode).toBe(4);
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'server_unreachable' } });
    },
    CUT_TEST_MS,
  );
});
