// P3: a job on Kubernetes, from submit to the first line at a follower, beside `kubectl create job` to the first line of `kubectl logs`.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '@hangar/contract';
import { freePort, makeRepo, ServerProcess } from '../tests/e2e/server-process.ts';
import { clusterForTests } from '../tests/kubernetes/cluster.ts';
import { jobClient } from './job-client.ts';
import { median, record, timed } from './measure.ts';

const ROUNDS = 10;
const cluster = await clusterForTests();
if ('skipped' in cluster) {
  console.log(`P3 skipped: ${cluster.skipped}`);
} else {
  const { kubectlFile, kubeconfig } = cluster;
  const image = await cluster.image('node');
  const foreign = await cluster.image('full');
  const port = await freePort();
  const first = await ServerProcess.make();
  const server = await new ServerProcess(first.dir, port, {
    ...{ HANGAR_HOST: '0.0.0.0', HANGAR_PUBLIC_URL: `http://${cluster.hostForPods}:${port}` },
    ...{ HANGAR_WORKER_IMAGE: image, KUBECONFIG: kubeconfig },
  }).start();
  const { name: namespace, remove } = await cluster.namespace();
  try {
    const client = await jobClient(server);
    await client.call('POST', '/profiles', {
      name: 'pods',
      driver: 'kubernetes',
      settings: { namespace, pull: 'never' },
    });
    const repo = await makeRepo(join(server.dir, 'repo'));
    const spec = '# Trivial\n\n```sh\necho hello\n```\n';
    const request = await client.fromCheckout(repo, spec, { profile: 'pods' });
    const elsewhere = await client.fromCheckout(repo, spec, { profile: 'pods', image: foreign });

    const env = { ...process.env, KUBECONFIG: kubeconfig };
    let made = 0;
    /** As a person would: make it, then ask for its log until there is a line. */
    const floor = async () => {
      const name = `floor-${made++}`;
      execFileSync(kubectlFile, ['create', 'job', name, '-n', namespace, `--image=${image}`, '--', 'echo', 'hello'], {
        env,
      });
      for (;;) {
        const said = spawnSync(kubectlFile, ['logs', '-f', `job/${name}`, '-n', namespace], { env, encoding: 'utf8' });
        if (said.stdout.includes('hello')) break;
      }
    };
    const tidy = () =>
      void execFileSync(kubectlFile, ['delete', 'job', '-n', namespace, `floor-${made - 1}`, '--wait=true'], { env });
    const ended = async (id: string) => {
      while (!(await client.call<Job>('GET', `/jobs/${id}`)).finishedAt) await sleep(100);
      await sleep(1_500);
    };
    await floor();
    tidy();
    await ended((await client.firstLines(request)).job.id);
    await ended((await client.firstLines(elsewhere)).job.id);
    const ms = { floor: [] as number[], any: [] as number[], agent: [] as number[], brought: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      ms.floor.push(await timed(floor));
      tidy();
      await sleep(1_500);
      const own = await client.firstLines(request);
      ms.any.push(own.anyMs);
      ms.agent.push(own.agentMs);
      await ended(own.job.id);
      const other = await client.firstLines(elsewhere);
      ms.brought.push(other.agentMs);
      await ended(other.job.id);
    }
    const ratio = median(ms.any) / median(ms.floor);
    const ofAgent = median(ms.agent) / median(ms.floor);
    const brought = median(ms.brought) / median(ms.floor);
    record({
      id: 'P3',
      what: 'job on Kubernetes: submit to first log line',
      bar: '≤ 1.2 × kubectl create job and kubectl logs',
      met: ratio <= 1.2,
      result: `${ratio.toFixed(2)} × to the first line of the log, ${ofAgent.toFixed(2)} × to the first line of the agent; ${brought.toFixed(2)} × where Node is brought to the image`,
      series: [
        { label: 'kubectl create job, kubectl logs', ms: ms.floor },
        { label: 'first line', ms: ms.any },
        { label: 'first line of the agent', ms: ms.agent },
        { label: 'first line of the agent, image without Node', ms: ms.brought },
      ],
      command: 'KUBECONFIG=… node bench/p3-job-kubernetes.bench.ts',
    });
  } finally {
    await server.remove();
    await remove();
  }
}
