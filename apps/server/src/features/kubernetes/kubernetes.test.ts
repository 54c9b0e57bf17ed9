import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterLiveQuery, HangarError, PodQuery } from '@hangar/contract';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { createClusterLive } from './cluster-live.ts';
import { createKubernetes, type Kubernetes } from './kubernetes.ts';
import { FakeCluster, forbidden, nodeRow, podRow, reachOf } from './testing/fake-cluster.ts';

const log = pino({ level: 'silent' });
const open: { close: () => void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

function make(cluster: FakeCluster | null, patience = {}): Kubernetes {
  const kubernetes = createKubernetes({
    reach: reachOf(cluster),
    jobOf: async (id) => (id === 'j_known01' ? { id, title: 'Add a search page' } : null),
    patience: { refusedEveryMs: 30, ...patience },
  });
  open.push(kubernetes);
  return kubernetes;
}

const signal = AbortSignal.timeout(20_000);
const query = (input: object = {}) => PodQuery.parse(input);
/** What is asked while the cluster says what it has. */
async function asked<T>(answer: Promise<T>, say: () => void): Promise<T> {
  await sleep(5);
  say();
  return answer;
}
async function until(what: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!what()) {
    if (performance.now() > deadline) throw new Error('did not come');
    await sleep(5);
  }
}

it('without a cluster health says so and what to do; pods are an error with the same way out', async () => {
  const kubernetes = make(null);
  const health = await kubernetes.health({ signal });
  expect(health).toMatchObject({ state: 'not_connected', view: null, pods: null, source: null });
  expect(health.wayOut).toContain('KUBECONFIG');
  await expect(kubernetes.pods(query(), signal)).rejects.toMatchObject({ code: 'cluster_not_connected' });
});

it('any number of viewers are one watch of pods and one of nodes', async () => {
  const cluster = new FakeCluster();
  const kubernetes = make(cluster);
  const all = Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      index % 2 ? kubernetes.pods(query({ offset: index }), signal) : kubernetes.health({ signal }),
    ),
  );
  await asked(all, () => cluster.fill([podRow('a'), podRow('b', { state: 'pending' })]));
  expect(cluster.pods).toHaveLength(1);
  expect(cluster.nodes).toHaveLength(1);
});

it('the watch ends a while after the last viewer, and begins anew with the next', async () => {
  const cluster = new FakeCluster();
  const kubernetes = make(cluster, { lingerMs: 40 });
  await asked(kubernetes.pods(query(), signal), () => cluster.fill([podRow('a')]));
  expect(kubernetes.running()).toBe(1);
  await until(() => kubernetes.running() === 0);
  expect(cluster.pods[0]?.followed.closed).toBe(true);
  const again = await asked(kubernetes.pods(query(), signal), () => cluster.fill([podRow('a'), podRow('b')]));
  expect(again.total).toBe(2);
  expect(cluster.pods).toHaveLength(2);
});

it('while the first list comes in, what there is is shown and said to be a part', async () => {
  const cluster = new FakeCluster();
  const kubernetes = make(cluster);
  const page = await asked(kubernetes.pods(query(), signal), () => cluster.at().put('shop/a', podRow('a')));
  expect(page).toMatchObject({ total: 1, view: { isWhole: false, live: true } });
  cluster.fill([podRow('b')]);
  expect(await kubernetes.pods(query(), signal)).toMatchObject({ total: 2, view: { isWhole: true } });
});

describe('a cluster out of reach', () => {
  const away = new HangarError('k8s_unreachable', { message: 'the connection was refused.' });

  it('is an error when nothing was ever read', async () => {
    const cluster = new FakeCluster();
    const kubernetes = make(cluster);
    const answer = kubernetes.pods(query(), signal);
    await Promise.all([expect(answer).rejects.toBe(away), asked(Promise.resolve(), () => cluster.at().fail(away))]);
    expect(await kubernetes.health({ signal })).toMatchObject({ state: 'unreachable', pods: null, nodes: null });
  });

  it('keeps what was read, with its age, and comes back by itself', async () => {
    const cluster = new FakeCluster();
    const kubernetes = make(cluster);
    await asked(kubernetes.pods(query(), signal), () => cluster.fill([podRow('a')]));
    const followed = cluster.at();
    followed.trueAt = Date.now() - 90_000;
    followed.fail(away);
    const page = await kubernetes.pods(query(), signal);
    expect(page).toMatchObject({ total: 1, view: { live: false, trouble: { code: 'k8s_unreachable' } } });
    expect(Date.parse(page.view.asOf)).toBeLessThan(Date.now() - 80_000);
    expect(await kubernetes.health({ signal })).toMatchObject({ state: 'unreachable', pods: { total: 1 } });
    followed.trueAt = Date.now();
    followed.whole();
    expect(await kubernetes.health({ signal })).toMatchObject({ state: 'connected' });
  });
});

describe('an account that may not see everything', () => {
  it('sees the namespaces it may, and each that it may not is named with the words of the cluster', async () => {
    const cluster = new FakeCluster();
    cluster.namespaceNames = ['kube-system', 'shop', 'train'];
    const kubernetes = make(cluster);
    const answer = kubernetes.pods(query(), signal);
    await sleep(5);
    cluster.at().fail(forbidden('pods'));
    cluster.nodes[0]?.fail(forbidden('nodes'));
    await until(() => cluster.following.length === 4);
    cluster.at('kube-system').fail(forbidden('pods'));
    cluster.at('shop').put('shop/a', podRow('a'));
    cluster.at('shop').whole();
    cluster.at('train').whole();
    const page = await answer;
    expect(page).toMatchObject({ total: 1, view: { isWhole: true, live: true, namespaces: ['shop', 'train'] } });
    expect(page.view.denied).toEqual([
      { what: 'pods', namespace: null, message: expect.stringContaining('cannot list') },
      { what: 'nodes', namespace: null, message: expect.stringContaining('"nodes"') },
      { what: 'pods', namespace: 'kube-system', message: expect.stringContaining('forbidden') },
    ]);
    await expect(kubernetes.nodes({ signal })).rejects.toMatchObject({ code: 'k8s_forbidden', status: 403 });
    expect(await kubernetes.health({ signal })).toMatchObject({ state: 'connected', nodes: null, pods: { total: 1 } });
  });

  it('is told that it may see nothing, when that is so', async () => {
    const cluster = new FakeCluster();
    cluster.namespaceNames = forbidden('namespaces');
    const kubernetes = make(cluster);
    const answer = kubernetes.health({ signal });
    await sleep(5);
    cluster.at().fail(forbidden('pods'));
    cluster.nodes[0]?.fail(forbidden('nodes'));
    await until(() => cluster.following.includes('default'));
    cluster.at('default').fail(forbidden('pods'));
    expect(await answer).toMatchObject({ state: 'forbidden', pods: null, nodes: null });
    await expect(kubernetes.pods(query(), signal)).rejects.toMatchObject({ code: 'k8s_forbidden' });
  });

  it('is shown the namespaces of its jobs, where it may not even list namespaces', async () => {
    const cluster = new FakeCluster();
    cluster.namespaceNames = forbidden('namespaces');
    const kubernetes = createKubernetes({
      ...{ reach: reachOf(cluster), jobOf: async () => null },
      namespacesOfJobs: async () => ['hangar-jobs', 'default'],
    });
    open.push(kubernetes);
    const answer = kubernetes.pods(query(), signal);
    await sleep(5);
    cluster.nodes[0]?.whole();
    cluster.at().fail(forbidden('pods'));
    await until(() => cluster.following.includes('hangar-jobs'));
    cluster.at('default').fail(forbidden('pods'));
    cluster.at('hangar-jobs').whole();
    expect((await answer).view).toMatchObject({ isWhole: true, namespaces: ['hangar-jobs'] });
  });

  it('that is given its rights later sees the whole without a restart', async () => {
    const cluster = new FakeCluster();
    cluster.namespaceNames = ['shop'];
    const kubernetes = make(cluster);
    const first = kubernetes.pods(query(), signal);
    await sleep(5);
    cluster.nodes[0]?.whole();
    cluster.at().fail(forbidden('pods'));
    await until(() => cluster.following.includes('shop'));
    cluster.at('shop').whole();
    expect((await first).view.namespaces).toEqual(['shop']);
    cluster.at().put('train/b', podRow('b', { namespace: 'train' }));
    cluster.at().whole();
    expect(await kubernetes.pods(query(), signal)).toMatchObject({ total: 1, view: { namespaces: null, denied: [] } });
    expect(cluster.following).toEqual(['']);
  });
});

it('adds up what pods ask for by node, without those that have ended; what waits is told together', async () => {
  const cluster = new FakeCluster();
  const kubernetes = make(cluster);
  const ask = { cpuRequested: 1, memoryRequested: 1e9, devicesRequested: { 'nvidia.com/gpu': 2 } };
  const gpu = nodeRow('gpu-1', { devices: [{ name: 'nvidia.com/gpu', capacity: 8, allocatable: 8 }] });
  const sick = nodeRow('node-2', {
    conditions: [{ type: 'Ready', status: 'Unknown', ok: false, reason: '', message: 'Kubelet stopped.', since: null }],
  });
  const waits = (name: string) =>
    podRow(name, { state: 'pending', nodeName: null, reason: `0/2 nodes can take ${name}: Insufficient cpu.` });
  const health = await asked(kubernetes.health({ signal }), () =>
    cluster.fill(
      [
        podRow('a', { ...ask, nodeName: 'gpu-1' }),
        podRow('b', { ...ask, nodeName: 'gpu-1', state: 'succeeded' }),
        waits('finetune-c'),
        waits('finetune-d'),
      ],
      [gpu, sick],
    ),
  );
  expect(health).toMatchObject({
    nodes: { total: 2, ready: 1, notReady: 1 },
    pods: { total: 4, byState: { pending: 2, running: 1, succeeded: 1 } },
    waiting: [{ reason: '0/2 nodes can take the pod: Insufficient cpu.', count: 2 }],
    resources: { cpu: { capacity: 8, requested: 1, used: null }, memory: { requested: 1e9 } },
  });
  const { items } = await kubernetes.nodes({ signal });
  expect(items).toMatchObject([
    { name: 'node-2', state: 'unknown', reason: 'Kubelet stopped.' },
    { name: 'gpu-1', cpu: { requested: 1 }, pods: { requested: 1 }, devices: [{ requested: 2, allocatable: 8 }] },
  ]);
});

it('a pod is asked for once for all who look, and names the job it runs', async () => {
  const cluster = new FakeCluster();
  const kubernetes = make(cluster);
  const rest = {
    ...{ phase: 'Running', address: null, serviceAccount: null, priority: null, quality: null },
    ...{ labels: {}, conditions: [], runs: [] },
  };
  cluster.seen.set('shop/a', { row: podRow('a', { jobId: 'j_known01' }), rest });
  const [one] = await Promise.all(Array.from({ length: 10 }, () => kubernetes.pod('shop', 'a', { signal })));
  expect(one).toMatchObject({ name: 'a', job: { id: 'j_known01', title: 'Add a search page' }, eventsDenied: null });
  expect(cluster.podsAsked).toBe(1);
  cluster.podEvents = forbidden('events');
  cluster.seen.set('shop/b', { row: podRow('b', { jobId: 'j_gone001' }), rest });
  expect(await kubernetes.pod('shop', 'b', { signal })).toMatchObject({
    job: null,
    events: [],
    eventsDenied: { what: 'events', namespace: 'shop' },
  });
  await expect(kubernetes.pod('shop', 'none', { signal })).rejects.toMatchObject({ code: 'pod_not_found' });
});

it('a search finds pods of a cluster that is looked at, and begins no watch', async () => {
  const cluster = new FakeCluster();
  const kubernetes = make(cluster);
  expect(kubernetes.find('web', 5)).toEqual([]);
  expect(cluster.pods).toHaveLength(0);
  await asked(kubernetes.pods(query(), signal), () => cluster.fill([podRow('web-1'), podRow('db-1')]));
  expect(kubernetes.find('web', 5)).toMatchObject([{ context: 'fake', pod: { name: 'web-1' } }]);
});

describe('who follows', () => {
  const viewer = (into: string[]) => ({
    write: (frame: string) => void into.push(frame),
    end: () => void into.push('end'),
  });
  const live = (input: Partial<ClusterLiveQuery> = {}): ClusterLiveQuery => ({ ...query(), show: 'pods', ...input });

  it('is sent what is there and then each change once; the same page is made once for all', async () => {
    const cluster = new FakeCluster();
    const kubernetes = make(cluster);
    const all = createClusterLive({ kubernetes, log });
    open.push(all);
    const frames: string[][] = [[], [], []];
    const leave = await Promise.all(
      frames.map((into, index) => all.join(live(index === 2 ? { search: 'b' } : {}), viewer(into))),
    );
    await until(() => cluster.pods.length > 0);
    cluster.fill([podRow('a')]);
    await until(() => frames.every((one) => one.length === 1));
    cluster.at().put('shop/b', podRow('b'));
    await until(() => frames.every((one) => one.length === 2));
    expect(frames[0]?.[1]).toBe(frames[1]?.[1]);
    expect(frames[0]?.[1]).toMatch(/^event: pods\ndata: .*"total":2/);
    // What is on no page shown changes nothing there.
    cluster.at().put('shop/c', podRow('c', { restarts: 1 }));
    await until(() => frames[0]?.length === 3);
    expect(frames[2]?.at(-1)).toContain('"total":1');
    for (const one of leave) one();
    expect(kubernetes.running()).toBe(1);
    expect(cluster.pods).toHaveLength(1);
  });

  it('keeps the watch as long as anybody follows', async () => {
    const cluster = new FakeCluster();
    const kubernetes = make(cluster, { lingerMs: 20 });
    const all = createClusterLive({ kubernetes, log });
    open.push(all);
    const frames: string[] = [];
    const leave = await all.join(live({ show: 'health' }), viewer(frames));
    await until(() => cluster.pods.length > 0);
    cluster.fill([]);
    await sleep(80);
    expect(kubernetes.running()).toBe(1);
    leave();
    await until(() => kubernetes.running() === 0);
  });

  it('is sent away when the context has become another cluster, to come back to that', async () => {
    const [old, fresh] = [new FakeCluster(), new FakeCluster()];
    let now = old;
    const kubernetes = createKubernetes({
      reach: { places: () => reachOf(now).places(), open: (context) => reachOf(now).open(context) },
      jobOf: async () => null,
    });
    const all = createClusterLive({ kubernetes, log });
    open.push(all, kubernetes);
    const frames: string[] = [];
    await all.join(live(), viewer(frames));
    await until(() => old.pods.length > 0);
    old.fill([podRow('a')]);
    await until(() => frames.length === 1);
    now = fresh;
    await asked(kubernetes.pods(query(), signal), () => fresh.fill([podRow('b')]));
    await until(() => frames.at(-1) === 'end');
    expect(old.following).toEqual([]);
    expect(kubernetes.running()).toBe(1);
  });

  it('is told why there is nothing to see', async () => {
    const cluster = new FakeCluster();
    cluster.namespaceNames = [];
    const kubernetes = make(cluster);
    const all = createClusterLive({ kubernetes, log });
    open.push(all);
    const frames: string[] = [];
    const leave = await all.join(live({ show: 'nodes' }), viewer(frames));
    await until(() => cluster.nodes.length > 0);
    cluster.at().whole();
    cluster.nodes[0]?.fail(forbidden('nodes'));
    await until(() => frames.some((frame) => frame.startsWith('event: failed\ndata: {"code":"k8s_forbidden"')));
    leave();
  });
});
