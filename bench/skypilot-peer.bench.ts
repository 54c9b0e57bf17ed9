// Beside SkyPilot: a command on a machine that is up already, from submit to its first line, and followers that join its log.
// Needs an API server of SkyPilot that can launch, at the URL in HANGAR_BENCH_SKYPILOT; what it launches is taken down again.
import { join } from 'node:path';
import type { Job } from '@hangar/contract';
import { makeRepo, ServerProcess } from '../tests/e2e/server-process.ts';
import { jobClient } from './job-client.ts';
import { median, quantile, record, timed } from './measure.ts';

const ROUNDS = 5;
const FOLLOWERS = [1, 20] as const;
const TALK = 'for n in $(seq 1 1200); do echo "marker $n"; sleep 0.1; done';

interface Peer {
  /** Submits a command and resolves with its first line; gives what `follow` needs. */
  firstLine(command: string): Promise<string>;
  /** Joins the log and resolves with its first line. */
  follow(id: string): Promise<void>;
  stop(id: string): Promise<void>;
}

const url = process.env.HANGAR_BENCH_SKYPILOT;
if (!url) {
  console.log('SkyPilot skipped: HANGAR_BENCH_SKYPILOT names no API server');
} else {
  const server = await (await ServerProcess.make()).start();
  const sky = await openSkyPilot(url);
  try {
    const hangar = await openHangar(server);
    const ms: Record<'sky' | 'hangar', number[]> = { sky: [], hangar: [] };
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, peer] of [
        ['sky', sky],
        ['hangar', hangar],
      ] as const)
        ms[name].push(await timed(() => peer.firstLine('echo marker')));
    const joins: Record<'sky' | 'hangar', number[]> = { sky: [], hangar: [] };
    const slowest: Record<'sky' | 'hangar', number[]> = { sky: [], hangar: [] };
    for (const [name, peer] of [
      ['sky', sky],
      ['hangar', hangar],
    ] as const) {
      const id = await peer.firstLine(TALK);
      for (const count of FOLLOWERS) {
        const took = await Promise.all(Array.from({ length: count }, () => timed(() => peer.follow(id))));
        joins[name].push(median(took));
        slowest[name].push(quantile(took, 1));
      }
      await peer.stop(id);
    }
    const times = median(ms.sky) / median(ms.hangar);
    const growth = (name: 'sky' | 'hangar', of: string) => ({
      of,
      unit: 'ms' as const,
      sizes: FOLLOWERS.map((count, n) => ({ size: `${count} at once`, value: slowest[name][n] ?? Number.NaN })),
    });
    record({
      id: 'SkyPilot',
      what: 'a command on a machine that is up: submit to its first line; followers that join its log',
      bar: 'faster than SkyPilot',
      met: times > 1,
      result: `${times.toFixed(0)} × faster`,
      series: [
        { label: 'SkyPilot exec', ms: ms.sky },
        { label: 'Hangar job', ms: ms.hangar },
      ],
      growth: [growth('sky', 'SkyPilot, slowest first line'), growth('hangar', 'Hangar, slowest first line')],
      command: 'HANGAR_BENCH_SKYPILOT=URL node bench/skypilot-peer.bench.ts',
    });
  } finally {
    await sky.close();
    await server.remove();
  }
}

async function openHangar(server: ServerProcess): Promise<Peer> {
  const client = await jobClient(server);
  const repo = await makeRepo(join(server.dir, 'repo'));
  const ofAgent = ({ stream }: { stream: string }) => stream === 'stdout';
  return {
    async firstLine(command) {
      const request = await client.fromCheckout(repo, `# Peer\n\n\`\`\`sh\n${command}\n\`\`\`\n`);
      const { id } = await client.call<Job>('POST', '/jobs', request);
      await client.follow(id, ofAgent);
      return id;
    },
    follow: (id) => client.follow(id, ofAgent),
    stop: async (id) => void (await client.call('POST', `/jobs/${id}/cancel`, {})),
  };
}

/** By its REST API, as its own client speaks it: a request is taken in, then waited for. */
async function openSkyPilot(base: string): Promise<Peer & { close(): Promise<void> }> {
  const cluster = `hangar-bench-${Date.now() % 100_000}`;
  const post = async (path: string, body: unknown): Promise<Response> => {
    const answer = await fetch(`${base}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const ask = async (path: string, body: unknown): Promise<unknown> => {
    const id = (await post(path, body)).headers.get('x-skypilot-request-id') ?? '';
    const answer = await fetch(`${base}/api/get?request_id=${encodeURIComponent(id)}`);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return JSON.parse(((await answer.json()) as { return_value: string }).return_value);
  };
  const follow = async (id: string): Promise<void> => {
    const answer = await post('/logs', { cluster_name: cluster, job_id: Number(id), follow: true });
    let text = '';
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes('marker')) return;
    }
    throw new Error('the log ended without the line');
  };
  const task = (command: string) => JSON.stringify({ run: command });
  await ask('/launch', {
    task: JSON.stringify({ resources: { infra: 'slurm', cpus: '1+' }, run: 'true' }),
    cluster_name: cluster,
  });
  return {
    async firstLine(command) {
      const { job_id: id } = (await ask('/exec', { task: task(command), cluster_name: cluster })) as { job_id: number };
      await follow(String(id));
      return String(id);
    },
    follow,
    stop: async (id) => void (await ask('/cancel', { cluster_name: cluster, job_ids: [Number(id)] })),
    close: async () => void (await ask('/down', { cluster_name: cluster })),
  };
}
