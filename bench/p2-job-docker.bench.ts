// P2: a job on Docker, from submit to the first line at a follower, of the log and of its agent, beside `docker run` to its first output.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '@hangar/contract';
import { dockerForTests } from '../packages/sandbox/src/drivers/docker/testing/index.ts';
import { makeRepo, ServerProcess } from '../tests/e2e/server-process.ts';
import { jobClient } from './job-client.ts';
import { median, record } from './measure.ts';

const docker = await dockerForTests();
if ('skipped' in docker) {
  console.log(`P2 skipped: ${docker.skipped}`);
} else {
  const server = await (await ServerProcess.make()).start();
  try {
    const client = await jobClient(server);
    await client.call('POST', '/profiles', {
      name: 'boxes',
      driver: 'docker',
      settings: { host: docker.host, image: docker.image, pull: 'never', network: 'none' },
    });
    const repo = await makeRepo(join(server.dir, 'repo'));
    const request = await client.fromCheckout(repo, '# Trivial\n\n```sh\necho hello\n```\n', { profile: 'boxes' });
    const floor = () =>
      firstOutput(['-H', docker.host, 'run', '--rm', '--init', '--network', 'none', docker.image, 'echo', 'hello']);
    const ended = async (id: string) => {
      while (!(await client.call<Job>('GET', `/jobs/${id}`)).finishedAt) await sleep(100);
      await sleep(500);
    };
    await floor();
    await ended((await client.firstLines(request)).job.id);
    const floorMs: number[] = [];
    const anyMs: number[] = [];
    const agentMs: number[] = [];
    for (let round = 0; round < 15; round++) {
      floorMs.push(await floor());
      const first = await client.firstLines(request);
      anyMs.push(first.anyMs);
      agentMs.push(first.agentMs);
      await ended(first.job.id);
    }
    const ratio = median(anyMs) / median(floorMs);
    const ofAgent = median(agentMs) / median(floorMs);
    record({
      id: 'P2',
      what: 'job on Docker: submit to first log line',
      bar: '≤ 1.3 × docker run',
      met: ratio <= 1.3,
      result: `${ratio.toFixed(2)} × to the first line of the log, ${ofAgent.toFixed(2)} × to the first line of the agent`,
      series: [
        { label: 'docker run', ms: floorMs },
        { label: 'first line', ms: anyMs },
        { label: 'first line of the agent', ms: agentMs },
      ],
      command: 'node bench/p2-job-docker.bench.ts',
    });
  } finally {
    await server.remove();
  }
}

/** Milliseconds to the first byte that `docker` prints; resolves once it has ended, so that nothing runs beside the next. */
async function firstOutput(args: readonly string[]): Promise<number> {
  const begun = performance.now();
  const child = spawn('docker', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  const took = performance.now() - begun;
  const [code] = await ended;
  if (code !== 0) throw new Error(`docker ended with ${code}`);
  return took;
}
