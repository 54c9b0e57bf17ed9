import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRepo, ServerProcess } from './server-process.ts';

interface Refused {
  error: { code: string; message: string; exitCode: number; details: Record<string, unknown> };
}

let server: ServerProcess;
let repo: string;
let me: string;
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  await server.signIn();
  repo = await makeRepo(join(server.dir, 'repo'));
  const { stdout } = await server.hangar(['cloud', 'whoami', '--json']);
  me = (JSON.parse(stdout) as { user: { id: string } }).user.id;
});
afterAll(() => server?.remove());

async function must(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await server.hangar(args, { cwd: repo });
  if (exitCode !== 0) throw new Error(`hangar ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
  return stdout;
}
let count = 0;
function spec(script: string): string {
  const file = join(server.dir, `spec-${count++}.md`);
  writeFileSync(file, `# Try\n\n\`\`\`sh\n${script}\n\`\`\`\n`);
  return file;
}
const run = (script: string, ...options: string[]) =>
  server.hangar(['run', '--cloud', '--spec', spec(script), ...options], { cwd: repo });

describe('a plan', () => {
  it('is made by an admin, given to a person, and counts at the next submit', async () => {
    await must(
      ...['plans', 'put', 'tiny', '--title', 'Tiny', '--jobs-at-once', '1', '--jobs-waiting', '2'],
      ...['--max-timeout', '60s', '--max-artifacts', '4k', '--max-log', '4k'],
    );
    await must('people', 'update', me, '--plan', 'tiny');
    expect(await must('cloud', 'whoami')).toMatch(/Tiny/);
    const long = await run('true', '--timeout', '2m');
    expect(long.exitCode).toBe(2);
    expect(long.stderr).toContain('The timeout of 120 s is longer than the 60 s of your plan. [timeout_too_long]');
    await must('plans', 'put', 'tiny', '--max-timeout', '3m');
    expect((await run('true', '--timeout', '2m', '--wait')).exitCode).toBe(0);
  }, 60_000);

  it('a full queue ends a group half-way: it says which were sent, which not, and when there is room', async () => {
    const sent = await run('sleep 120', '--times', '5', '--group', 'five');
    expect(sent.exitCode).toBe(2);
    const ids = sent.stdout.match(/j_[0-9a-z]+/g) ?? [];
    expect([2, 3]).toContain(ids.length);
    expect(sent.stderr).toMatch(
      new RegExp(
        `${ids.length} jobs of 5 sent as five, ${5 - ids.length} not: 2 of your jobs wait already; your plan allows 2`,
      ),
    );
    expect(sent.stderr).toMatch(/A place is (free when|expected to be free within \d+ min)/);
    expect(sent.stderr).toMatch(/Not sent: shell( \(\d times\))?\. The others run: hangar compare --group five/);

    // Room is made by the plan; the same is asked of a program.
    for (let turn = 0; turn < 100 && !/1 of 1 running/.test(await must('cloud', 'whoami')); turn++) await sleep(100);
    const refused = await run('sleep 120', '--times', '4', '--group', 'four', '--json');
    const { error } = JSON.parse(refused.stdout) as Refused;
    expect(error).toMatchObject({ code: 'quota_jobs', exitCode: 2, details: { limit: 2, running: 1 } });
    await must('plans', 'put', 'tiny', '--jobs-waiting', '20');
    expect((await run('sleep 120', '--times', '2', '--group', 'two')).exitCode).toBe(0);

    const { items } = JSON.parse(await must('jobs', '--state', 'queued', '--json')) as {
      items: { id: string; reason: string }[];
    };
    expect(items[0]?.reason).toMatch(/your plan runs 1 at once$/);
    const all = JSON.parse(await must('jobs', '--limit', '100', '--json')) as {
      items: { id: string; finishedAt: string | null }[];
    };
    for (const { id, finishedAt } of all.items) if (finishedAt === null) await must('cancel', id);
    for (let turn = 0; turn < 200 && !/0 of 1 running, 0 of/.test(await must('cloud', 'whoami')); turn++)
      await sleep(100);
  }, 90_000);

  it('cuts a log and refuses artifacts above their bytes, with the numbers, and keeps what fits', async () => {
    const talks = JSON.parse((await run('seq 1 5000', '--wait', '--json')).stdout) as { id: string };
    const log = await must('logs', talks.id);
    expect(log.length).toBeLessThan(8_000);
    expect(log).toContain('The log has reached its limit of 4 KiB. From here only the last lines are kept.');
    expect(log).toMatch(/\d+ lines are left out here/);
    expect(log).toContain('5000');

    const script = 'head -c 8000 /dev/zero > "$HANGAR_ARTIFACTS/big.bin"; echo small > small.txt';
    const leaves = JSON.parse((await run(script, '--wait', '--json')).stdout) as { id: string };
    expect(await must('logs', leaves.id)).toContain(
      'Artifact left out: big.bin: 8000 bytes are more than the plan has left',
    );
    expect(await must('pull', leaves.id, '--stat')).toContain('small.txt');
  }, 60_000);
});
