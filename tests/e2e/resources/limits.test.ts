import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerForTests } from '../../../packages/sandbox/src/drivers/docker/testing/index.ts';
import { counted, countedTo, counting } from '../cuts/server-here.ts';
import { makeRepo, ServerProcess } from '../server-process.ts';

interface Job {
  id: string;
  state: string;
  reason: string;
  exitCode: number | null;
  finishedAt: string | null;
  failure: { code: string; message: string; wayOut: string } | null;
  diff: { filesChanged: number; partial: boolean } | null;
}

const docker = await dockerForTests();
const noDocker = 'skipped' in docker ? docker.skipped : null;
if (noDocker) console.warn(`limits of containers: skipped: ${noDocker}`);
const noPrlimit = readdirSync('/usr/bin').includes('prlimit') ? null : 'there is no prlimit (util-linux)';

let server: ServerProcess;
let key: string;
let repo: string;
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  key = await server.signIn();
  repo = await makeRepo(join(server.dir, 'repo'));
  if ('skipped' in docker) return;
  const set = [`host=${docker.host}`, `image=${docker.image}`, 'pull=never', 'network=none'];
  const made = await server.hangar(
    ['profiles', 'create', 'boxes', '--driver', 'docker', '--pids', '300', ...set.flatMap((one) => ['--set', one])],
    {},
  );
  expect(made.exitCode, made.stderr).toBe(0);
}, 180_000);
afterAll(() => server?.remove());

let count = 0;
async function send(script: string, options: readonly string[] = []): Promise<string> {
  const file = join(server.dir, `spec-${count++}.md`);
  writeFileSync(file, `# Try\n\n\`\`\`sh\n${script}\n\`\`\`\n`);
  const sent = await server.hangar(['run', '--cloud', '--spec', file, '--json', ...options], { cwd: repo });
  if (sent.exitCode !== 0) throw new Error(`cannot send: ${sent.stdout}${sent.stderr}`);
  return (JSON.parse(sent.stdout) as Job).id;
}
async function ended(id: string): Promise<{ job: Job; log: string }> {
  const deadline = Date.now() + 150_000;
  for (;;) {
    const job = JSON.parse((await server.hangar(['status', id, '--json'])).stdout) as Job;
    if (job.finishedAt) return { job, log: (await server.hangar(['logs', id])).stdout };
    if (Date.now() > deadline) throw new Error(`${id} stays ${job.state}: ${job.reason}`);
    await sleep(300);
  }
}
/** How many processes have this in their command line. */
function processesLike(words: string): number {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(words.replaceAll(' ', '\0'));
    } catch {
      return false;
    }
  }).length;
}
const authorized = () => ({ headers: { authorization: `Bearer ${key}` } });

describe('a job at its limits', () => {
  it.skipIf(noDocker !== null)(
    'memory: it ends as out of memory, with the limit named',
    async () => {
      const id = await send('echo before > kept.txt; tail /dev/zero', ['--on', 'boxes', '--memory', '96m']);
      const { job } = await ended(id);
      expect(job).toMatchObject({ state: 'failed', failure: { code: 'out_of_memory' } });
      expect(job.reason).toContain('96 MiB');
      expect(job.diff).toMatchObject({ filesChanged: 1, partial: true });
    },
    180_000,
  );

  it.skipIf(noDocker !== null)(
    'processes in a container: the storm ends at its limit and with its job',
    async () => {
      const id = await send('for i in $(seq 1 4000); do sleep 47110 & done; echo all', ['--on', 'boxes']);
      const { job, log } = await ended(id);
      expect(job.state).toBe('failed');
      expect(job.failure?.code).toBe('agent_failed');
      expect(log).toMatch(/[Cc]annot fork|Resource temporarily unavailable/);
      for (let turn = 0; turn < 100 && processesLike('sleep 47110') > 0; turn++) await sleep(200);
      expect(processesLike('sleep 47110')).toBe(0);
      expect((await ended(await send('echo fine > fine.txt', ['--on', 'boxes']))).job.state).toBe('succeeded');
    },
    180_000,
  );

  it('4,000 processes of a local job end with it, and the log says how many', async () => {
    const id = await send('for i in $(seq 1 4000); do sleep 47120 & done; echo all of them');
    const { job, log } = await ended(id);
    expect(job, log).toMatchObject({ state: 'succeeded', exitCode: 0 });
    expect(log).toContain('all of them');
    expect(log).toMatch(/Ended (4000|3\d\d\d) processes the agent left running/);
    expect(processesLike('sleep 47120')).toBe(0);
  }, 180_000);

  it('open files: the job fails in its own words', async () => {
    const id = await send(
      `ulimit -n 64; perl -e 'my @f; while (open(my $h, "<", "/dev/null")) { push @f, $h } die "no more: $!\\n"'`,
    );
    const { job, log } = await ended(id);
    expect(job).toMatchObject({ state: 'failed', exitCode: 24, failure: { code: 'agent_failed' } });
    expect(log).toContain('no more: Too many open files');
  }, 60_000);
});

describe('the server at its limit of open files', () => {
  it.skipIf(noPrlimit !== null)(
    'stays alive, does its work, and answers again once they are free',
    async () => {
      const id = await send(counting(200, 0.1));
      for (let turn = 0; turn < 100; turn++) {
        if ((await server.hangar(['logs', id])).stdout.includes('line 10')) break;
        await sleep(100);
      }
      const watched = server.hangar(['logs', id, '--follow']);
      await sleep(1_000);
      const used = readdirSync(`/proc/${server.pid}/fd`).length;
      execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${used + 40}:4096`]);
      const stop = new AbortController();
      const answers: string[] = [];
      const followers = Array.from({ length: 150 }, async () => {
        try {
          const answer = await fetch(`${server.url}/api/jobs/${id}/logs?follow=true`, {
            ...authorized(),
            signal: stop.signal,
          });
          answers.push(answer.ok ? 'followed' : ((await answer.json()) as { code: string }).code);
          for await (const _ of answer.body ?? []);
        } catch {
          // Cut: there was no descriptor to accept it with, or the test is through with it.
        }
      });
      await sleep(6_000);
      // Some got in, or were told why not; most were cut. None was told of a fault in the server.
      expect(answers.length).toBeGreaterThan(0);
      expect(answers.length).toBeLessThan(150);
      expect(answers.filter((answer) => !['followed', 'open_files_exhausted'].includes(answer))).toEqual([]);
      expect(server.pid).toBeGreaterThan(0);
      stop.abort();
      await Promise.all(followers);

      const deadline = Date.now() + 30_000;
      let status = 0;
      while (status !== 200 && Date.now() < deadline) {
        status = await fetch(`${server.url}/api/jobs`, authorized()).then(
          (answer) => answer.status,
          () => 0,
        );
        await sleep(200);
      }
      expect(status).toBe(200);
      const { job, log } = await ended(id);
      expect(job).toMatchObject({ state: 'succeeded', failure: null, diff: { filesChanged: 1, partial: false } });
      expect(counted(log.split('\n'))).toEqual(countedTo(200));
      // Who was there before sees every line, once.
      expect(counted((await watched).stdout.split('\n'))).toEqual(countedTo(200));
      expect(server.output).not.toMatch(/uncaught|FATAL/i);
      execFileSync('prlimit', ['--pid', String(server.pid), '--nofile=4096:4096']);
    },
    120_000,
  );
});
