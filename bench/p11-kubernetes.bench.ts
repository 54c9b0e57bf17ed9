// P11: the cluster in view with 300, 3,000 and 30,000 pods, beside `kubectl get pods` of the same API server in the same run.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodPage } from '@hangar/contract';
import { ServerProcess } from '../tests/e2e/server-process.ts';
import { KUBE_HOME } from '../tests/kubernetes/cluster.ts';
import { cpuSeconds, type Growth, median, quantile, record, timed } from './measure.ts';

const SIZES = [300, 3_000, 30_000];
const ROUNDS = 5;
const VIEWERS = 50;
const CHANGES_A_SECOND = 100;
const WATCHED_SECONDS = 20;
const QUERIES = [
  '',
  'search=7d9',
  'status=pending',
  'namespace=team-3&sort=restarts',
  'sort=-age&offset=5000',
  'nodeName=node-7',
];

interface Counts {
  readonly lists: number;
  readonly watches: number;
  readonly openWatches: number;
  readonly mostOpenWatches: number;
  readonly changes: number;
  readonly refused: readonly string[];
  readonly bytesAPod: number;
}

const kubectl = existsSync(join(KUBE_HOME, 'bin/kubectl')) ? join(KUBE_HOME, 'bin/kubectl') : onPath();
if (kubectl === null) console.log('P11 skipped: no kubectl');
else await measure(kubectl);

async function measure(program: string): Promise<void> {
  const firstMs = new Map<number, number[]>();
  const wholeMs = new Map<number, number[]>();
  const kubectlMs = new Map<number, number[]>();
  const askMs = new Map<number, number[]>();
  const memoryMb = new Map<number, number>();
  let watched: Watched | null = null;
  let bytesAPod = 0;
  for (const size of SIZES) {
    const api = await replayedApi(size, 0);
    const server = await serverFor(api.kubeconfig);
    try {
      const first: number[] = [];
      const whole: number[] = [];
      const peer: number[] = [];
      for (let round = -1; round < ROUNDS; round++) {
        const peerMs = await timed(async () => {
          execFileSync(program, ['get', 'pods', '-A'], { env: api.env, maxBuffer: 1 << 28 });
        });
        // Each context is a cluster nobody has looked at yet: its list is read from the begin.
        const cold = await firstRows(server, `c${round + 1}`);
        if (round < 0) continue;
        peer.push(peerMs);
        first.push(cold.firstMs);
        whole.push(cold.wholeMs);
      }
      firstMs.set(size, first);
      wholeMs.set(size, whole);
      kubectlMs.set(size, peer);
      askMs.set(size, await warm(server, 'c0'));
      const counts = await api.counts();
      if (counts.refused.length > 0)
        throw new Error(`the API server was asked what it does not know: ${counts.refused}`);
      bytesAPod = counts.bytesAPod;
    } finally {
      await server.process.remove();
      await api.stop();
    }
    memoryMb.set(size, await memoryOf(size));
    const seen = [firstMs, wholeMs, kubectlMs, askMs].map((of) => median(of.get(size) ?? []).toFixed(0));
    console.log(
      `${size} pods: first rows ${seen[0]} ms, whole ${seen[1]} ms, kubectl ${seen[2]} ms, in memory ${seen[3]} ms, ${memoryMb.get(size)?.toFixed(0)} MB`,
    );
    if (size === SIZES.at(-1)) watched = await watchedBy(size);
  }
  report({ firstMs, wholeMs, kubectlMs, askMs, memoryMb, watched, bytesAPod });
}

interface Asked {
  readonly process: ServerProcess;
  readonly url: string;
  readonly key: string;
}

async function serverFor(kubeconfig: string): Promise<Asked> {
  const process = await (await ServerProcess.make({ KUBECONFIG: kubeconfig })).start();
  return { process, url: process.url, key: await process.adminKey() };
}

async function ask(server: Asked, query: string): Promise<PodPage> {
  const answer = await fetch(`${server.url}/api/k8s/pods?${query}`, {
    headers: { authorization: `Bearer ${server.key}` },
    signal: AbortSignal.timeout(120_000),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as PodPage;
}

/** From the question to its first rows, and to rows out of the whole list. */
async function firstRows(server: Asked, context: string): Promise<{ firstMs: number; wholeMs: number }> {
  const begun = performance.now();
  let page = await ask(server, `context=${context}`);
  const firstMs = performance.now() - begun;
  if (page.items.length === 0) throw new Error('no rows');
  while (!page.view.isWhole) {
    await sleep(20);
    page = await ask(server, `context=${context}`);
  }
  return { firstMs, wholeMs: performance.now() - begun };
}

/** A list that is in memory, asked in several ways. */
async function warm(server: Asked, context: string): Promise<number[]> {
  const ms: number[] = [];
  for (let round = 0; round < 10; round++)
    for (const query of QUERIES)
      ms.push(await timed(async () => void (await ask(server, `context=${context}&${query}`))));
  return ms.slice(QUERIES.length);
}

/** What a server that holds one such cluster has more than before; of several moments the least, for garbage comes and goes. */
async function memoryOf(size: number): Promise<number> {
  const api = await replayedApi(size, 0);
  const server = await serverFor(api.kubeconfig);
  try {
    await fetch(`${server.url}/api/k8s/health?context=none`, { headers: { authorization: `Bearer ${server.key}` } });
    const before = await leastMb(server.process.pid);
    await firstRows(server, 'c0');
    for (let round = 0; round < 3; round++) for (const query of QUERIES) await ask(server, `context=c0&${query}`);
    return (await leastMb(server.process.pid)) - before;
  } finally {
    await server.process.remove();
    await api.stop();
  }
}

async function leastMb(pid: number): Promise<number> {
  const seen: number[] = [];
  for (let moment = 0; moment < 12; moment++) {
    await sleep(500);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    seen.push(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
  }
  return Math.min(...seen);
}

interface Watched {
  readonly watches: number;
  readonly lists: number;
  /** Of all viewers; a page on which nothing changes is told once, and then nothing more. */
  readonly updatesASecond: number;
  readonly viewersUpdated: number;
  readonly cores: number;
  readonly askP99Ms: number;
  readonly memoryMb: number;
}

/** Many who follow, each another page, while pods change all over the cluster. */
async function watchedBy(size: number): Promise<Watched> {
  const api = await replayedApi(size, CHANGES_A_SECOND);
  const server = await serverFor(api.kubeconfig);
  const leave = new AbortController();
  try {
    await firstRows(server, 'c0');
    const frames = Array.from({ length: VIEWERS }, () => 0);
    await Promise.all(
      frames.map(async (_, viewer) => {
        const query = `show=health,pods&context=c0&${QUERIES[viewer % QUERIES.length]}&limit=${50 + viewer}`;
        const response = await fetch(`${server.url}/api/k8s/live?${query}`, {
          headers: { authorization: `Bearer ${server.key}` },
          signal: leave.signal,
        });
        if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
        void (async () => {
          const decoder = new TextDecoder();
          for await (const chunk of response.body ?? [])
            frames[viewer] = (frames[viewer] ?? 0) + (decoder.decode(chunk).match(/event: pods/g)?.length ?? 0);
        })().catch(() => undefined);
      }),
    );
    await sleep(3_000);
    const before = cpuSeconds(server.process.pid);
    const atStart = [...frames];
    const ms: number[] = [];
    const until = performance.now() + WATCHED_SECONDS * 1000;
    while (performance.now() < until) {
      ms.push(await timed(async () => void (await ask(server, 'context=c0&search=shop'))));
      await sleep(200);
    }
    const cores = (cpuSeconds(server.process.pid) - before) / WATCHED_SECONDS;
    const counts = await api.counts();
    const updates = frames.map((count, viewer) => count - (atStart[viewer] ?? 0));
    if (Math.min(...frames) === 0) throw new Error('a viewer was told nothing');
    return {
      // One of them is that of nodes.
      watches: counts.mostOpenWatches - 1,
      lists: counts.lists,
      updatesASecond: updates.reduce((sum, count) => sum + count, 0) / WATCHED_SECONDS,
      viewersUpdated: updates.filter((count) => count > 0).length,
      cores,
      askP99Ms: quantile(ms, 0.99),
      memoryMb: await leastMb(server.process.pid),
    };
  } finally {
    leave.abort();
    await server.process.remove();
    await api.stop();
  }
}

interface Api {
  readonly kubeconfig: string;
  readonly env: Record<string, string>;
  counts(): Promise<Counts>;
  stop(): Promise<void>;
}

async function replayedApi(pods: number, changesASecond: number): Promise<Api> {
  const child: ChildProcess = spawn(
    process.execPath,
    [join(import.meta.dirname, 'kubernetes/api-process.ts'), String(pods), String(changesASecond)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  const url = await new Promise<string>((done, fail) => {
    child.stdout?.once('data', (chunk: Buffer) => done(String(chunk).trim()));
    child.once('exit', () => fail(new Error('the replayed API server did not start')));
  });
  const folder = mkdtempSync(join(tmpdir(), 'hangar-p11-'));
  const kubeconfig = join(folder, 'config');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c0' },
      clusters: [{ name: 'replayed', cluster: { server: url } }],
      users: [{ name: 'ada', user: { token: 'none' } }],
      contexts: Array.from({ length: ROUNDS + 1 }, (_, n) => ({
        name: `c${n}`,
        context: { cluster: 'replayed', user: 'ada' },
      })),
    }),
  );
  return {
    kubeconfig,
    env: { PATH: process.env.PATH ?? '', HOME: folder, KUBECONFIG: kubeconfig },
    counts: async () => (await (await fetch(`${url}/counts`)).json()) as Counts,
    async stop() {
      child.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function onPath(): string | null {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return 'kubectl';
  } catch {
    return null;
  }
}

interface Measured {
  readonly firstMs: ReadonlyMap<number, number[]>;
  readonly wholeMs: ReadonlyMap<number, number[]>;
  readonly kubectlMs: ReadonlyMap<number, number[]>;
  readonly askMs: ReadonlyMap<number, number[]>;
  readonly memoryMb: ReadonlyMap<number, number>;
  readonly watched: Watched | null;
  readonly bytesAPod: number;
}

function report({ firstMs, wholeMs, kubectlMs, askMs, memoryMb, watched, bytesAPod }: Measured): void {
  const most = SIZES.at(-1) ?? 0;
  const at = (of: ReadonlyMap<number, number[]>) => of.get(most) ?? [];
  const first = median(at(firstMs));
  const ratio = first / median(at(kubectlMs));
  const grows = (of: string, values: (size: number) => number, unit: Growth['unit'] = 'ms'): Growth => ({
    of,
    unit,
    sizes: SIZES.map((size) => ({ size: `${size} pods`, value: values(size) })),
  });
  const memory = memoryMb.get(most) ?? 0;
  record({
    id: 'P11',
    what: `Kubernetes page with ${most} pods: first rows of a cluster nobody has looked at yet; ${VIEWERS} viewers`,
    bar: '≤ 0.2 × kubectl get pods, < 1 s; 1 upstream watch',
    met: ratio <= 0.2 && first < 1000 && watched?.watches === 1,
    result: `${ratio.toFixed(3)} ×, ${first.toFixed(0)} ms; ${watched?.watches} watch of pods for ${VIEWERS} viewers; ${memory.toFixed(0)} MB for the pods`,
    series: [
      { label: 'kubectl get pods -A', ms: at(kubectlMs) },
      { label: 'first rows, cold', ms: at(firstMs) },
      { label: 'rows of the whole list, cold', ms: at(wholeMs) },
      { label: 'a page of the list in memory, filtered and sorted', ms: at(askMs) },
    ],
    growth: [
      grows('first rows, cold', (size) => median(firstMs.get(size) ?? [])),
      grows('the whole list, cold', (size) => median(wholeMs.get(size) ?? [])),
      grows('a page in memory', (size) => median(askMs.get(size) ?? [])),
      grows('kubectl get pods -A', (size) => median(kubectlMs.get(size) ?? [])),
      grows('memory of the server for it', (size) => memoryMb.get(size) ?? 0, 'MB'),
    ],
    notes: [
      `Both read the same API server, one that replays pods recorded from a real cluster (${bytesAPod} bytes each as JSON) and is faster than a real one.`,
      ...(watched
        ? [
            `${VIEWERS} viewers on ${VIEWERS} different pages with ${CHANGES_A_SECOND} changes a second all over the cluster: ${watched.updatesASecond.toFixed(1)} updates a second to the ${watched.viewersUpdated} whose page they touched, ${watched.cores.toFixed(2)} cores, another request p99 ${watched.askP99Ms.toFixed(0)} ms, ${watched.memoryMb.toFixed(0)} MB in all.`,
          ]
        : []),
    ],
    command: 'node bench/p11-kubernetes.bench.ts',
  });
}
