// P7: followers of one log at 2,000 lines a second on one server process, each cut once and resumed: gaps, repeats, delay, CPU.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '@hangar/contract';
import { makeRepo, ServerProcess } from '../tests/e2e/server-process.ts';
import { type FollowResult, follow } from './follow.ts';
import { jobClient } from './job-client.ts';
import { cpuSeconds, type Growth, median, record } from './measure.ts';

const LINES_PER_SECOND = 2_000;
const RUNS: readonly { followers: number; seconds: number; runs: number }[] = [
  { followers: 1, seconds: 15, runs: 5 },
  { followers: 10, seconds: 15, runs: 1 },
  { followers: 100, seconds: 20, runs: 1 },
  { followers: 1_000, seconds: Number(process.env.HANGAR_BENCH_SECONDS ?? 60), runs: 5 },
];

interface Run extends FollowResult {
  readonly cores: number;
}

const server = await (await ServerProcess.make()).start();
try {
  const client = await jobClient(server);
  const repo = await makeRepo(join(server.dir, 'repo'));

  async function run(followers: number, seconds: number): Promise<Run> {
    // The job waits until all follow. It prints the time of each line, so that delay counts from the program to the follower.
    const settle = 3 + followers / 300;
    const program = `const rate=${LINES_PER_SECOND / 20};let n=0;setTimeout(()=>{const t0=Date.now();const i=setInterval(()=>{const due=Math.min(${seconds * LINES_PER_SECOND},Math.floor((Date.now()-t0)/50)*rate);let s="";const now=Date.now();while(n<due)s+=now+" line "+(++n)+" of a build that says what it does\\n";if(s)process.stdout.write(s);if(n>=${seconds * LINES_PER_SECOND})clearInterval(i)},50)},${settle * 1000})`;
    const job = await client.call<Job>(
      'POST',
      '/jobs',
      await client.fromCheckout(repo, `# Print\n\n\`\`\`sh\nnode -e '${program}'\n\`\`\`\n`),
    );
    const begun = performance.now();
    for (;;) {
      const { state, reason, finishedAt } = await client.call<Job>('GET', `/jobs/${job.id}`);
      if (state === 'running') break;
      if (finishedAt !== null || performance.now() - begun > 60_000) throw new Error(`the job is ${state}: ${reason}`);
      await sleep(50);
    }
    const before = cpuSeconds(server.pid);
    const started = performance.now();
    const result = await follow({
      host: '127.0.0.1',
      port: server.port,
      key: client.key,
      path: `/api/jobs/${job.id}/logs?follow=true`,
      followers,
      seconds: settle + seconds,
      cutFrom: settle + 1,
      cutTo: settle + seconds - 2,
    });
    const cores = (cpuSeconds(server.pid) - before) / ((performance.now() - started) / 1000);
    const ended = await client.call<Job>('GET', `/jobs/${job.id}`);
    if (ended.logLines < seconds * LINES_PER_SECOND)
      throw new Error(`the job printed ${ended.logLines} lines: ${ended.reason}`);
    return { ...result, cores };
  }

  const all = new Map<number, Run[]>();
  const rounds = Math.max(...RUNS.map(({ runs }) => runs));
  for (let round = 0; round < rounds; round++) {
    for (const { followers, seconds, runs } of RUNS) {
      if (round >= runs) continue;
      const done = await run(followers, seconds);
      all.set(followers, [...(all.get(followers) ?? []), done]);
      console.log(
        `   ${followers} followers: p50 ${done.p50} ms, p99 ${done.p99} ms, most ${done.most} ms, ${done.cores.toFixed(2)} cores, ${done.gaps} gaps, ${done.repeats} repeats, ${done.reconnects} reconnects, ${done.incomplete} incomplete`,
      );
    }
  }
  const largest = RUNS.at(-1)?.followers ?? 0;
  const of = (followers: number) => all.get(followers) ?? [];
  const p99 = (followers: number) => median(of(followers).map((one) => one.p99));
  const whole = [...all.values()].flat().every((one) => one.gaps + one.repeats + one.incomplete === 0);
  const growth = (what: string, unit: 'ms' | 'cores', value: (one: Run) => number): Growth => ({
    of: what,
    unit,
    sizes: [...all].map(([followers, runs]) => ({ size: `${followers}`, value: median(runs.map(value)) })),
  });
  const cores = median(of(largest).map((one) => one.cores));
  record({
    id: 'P7',
    what: `${largest} followers of one log at ${LINES_PER_SECOND} lines a second, each cut once and resumed`,
    bar: 'no gap, no repeat; p99 ≤ 250 ms; ≤ 1 core',
    met: whole && p99(largest) <= 250 && cores <= 1,
    result: `${whole ? 'no gap, no repeat' : 'NOT WHOLE'} after ${of(largest).reduce((sum, one) => sum + one.reconnects, 0)} reconnects; p99 ${p99(largest).toFixed(0)} ms beside ${p99(1).toFixed(0)} ms with 1 follower; ${cores.toFixed(2)} cores`,
    series: [
      { label: '1 follower, p99', ms: of(1).map((one) => one.p99) },
      { label: `${largest} followers, p99`, ms: of(largest).map((one) => one.p99) },
      { label: `${largest} followers, slowest line`, ms: of(largest).map((one) => one.most) },
      { label: `server, ${largest} followers`, unit: 'cores', values: of(largest).map((one) => one.cores) },
    ],
    growth: [
      growth('p99 by followers', 'ms', (one) => one.p99),
      growth('server by followers', 'cores', (one) => one.cores),
    ],
    command: 'node bench/p7-followers.bench.ts',
  });
} finally {
  await server.remove();
}
