import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, isIP, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pod, PodQuery } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { createClusterReach } from '../../apps/server/src/adapters/kubernetes/index.ts';
import type { PodLogText } from '../../apps/server/src/features/kubernetes/index.ts';
import { createKubernetes, type Kubernetes } from '../../apps/server/src/features/kubernetes/kubernetes.ts';
import { createClusters } from '../../packages/sandbox/src/drivers/kubernetes/index.ts';
import { clusterForTests } from './cluster.ts';

const cluster = await clusterForTests();
const log = pino({ level: 'silent' });
const INSTANCE = 'i_viewtest';

if ('skipped' in cluster) test('the cluster in view', ({ skip }) => skip(cluster.skipped));
else {
  const { kubectl } = cluster;
  const closers: (() => unknown)[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'hangar-view-'));
  let namespace = '';
  let kubernetes: Kubernetes;
  let image = '';

  /** The view, as it is for the account of a kubeconfig. */
  function viewBy(kubeconfig: string): Kubernetes {
    const clusters = createClusters({ inCluster: null, kubeconfig: [kubeconfig], environment: {} });
    const made = createKubernetes({
      reach: createClusterReach({ clusters, instanceId: INSTANCE, log }),
      jobOf: async (id) => ({ id, title: `Job ${id}` }),
      patience: { refusedEveryMs: 300 },
    });
    closers.push(() => {
      made.close();
      clusters.close();
    });
    return made;
  }
  const signal = () => AbortSignal.timeout(60_000);
  const pods = (view: Kubernetes, query: object = {}) => view.pods(PodQuery.parse(query), signal());
  const onePod = async (name: string): Promise<Pod | undefined> =>
    (await pods(kubernetes, { namespace, search: name })).items.find((pod) => pod.name === name);
  const manifest = (name: string, container: object, rest: object = {}, labels: object = {}) =>
    stringify({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels } },
      spec: {
        ...{ restartPolicy: 'Never', terminationGracePeriodSeconds: 1, dnsPolicy: 'Default' },
        containers: [{ name: 'main', image, imagePullPolicy: 'IfNotPresent', ...container }],
        ...rest,
      },
    });
  const sh = (script: string) => ({ command: ['sh', '-c', script] });

  beforeAll(async () => {
    const made = await cluster.namespace();
    namespace = made.name;
    closers.push(() => made.remove());
    image = await cluster.image('full');
    kubernetes = viewBy(cluster.kubeconfig);
    const all = [
      manifest(
        'runs',
        sh('i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; sleep 0.05; done; sleep 600'),
        {},
        { 'hangar.dev/instance': INSTANCE, 'hangar.dev/job': 'j_7k2m9x4q' },
      ),
      manifest('waits', { ...sh('true'), resources: { requests: { cpu: '9000' } } }),
      manifest('never', { image: 'localhost/none:1', imagePullPolicy: 'Never' }),
      manifest('crashes', sh('echo about to fall; exit 3'), { restartPolicy: 'Always' }),
      manifest('done', sh('echo done')),
      manifest('fails', sh('exit 7')),
    ];
    await kubectl(['apply', '-f', '-'], all.join('---\n'));
  }, 240_000);
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  /** A kubeconfig for a service account of the namespace with these rights. */
  async function account(name: string, rules: readonly object[], inCluster: readonly object[] = []): Promise<string> {
    const subjects = [{ kind: 'ServiceAccount', name, namespace }];
    const ref = (kind: string, of: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: of });
    const rbac = 'rbac.authorization.k8s.io/v1';
    const whole = `${namespace}-${name}`;
    const made = [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
      { apiVersion: rbac, kind: 'Role', metadata: { name, namespace }, rules },
      { apiVersion: rbac, kind: 'RoleBinding', metadata: { name, namespace }, subjects, roleRef: ref('Role', name) },
      { apiVersion: rbac, kind: 'ClusterRole', metadata: { name: whole }, rules: inCluster },
      {
        apiVersion: rbac,
        kind: 'ClusterRoleBinding',
        metadata: { name: whole },
        subjects,
        roleRef: ref('ClusterRole', whole),
      },
    ];
    await kubectl(['apply', '-f', '-'], made.map((one) => stringify(one)).join('---\n'));
    closers.push(() => kubectl(['delete', 'clusterrole,clusterrolebinding', whole, '--ignore-not-found']));
    const token = (await kubectl(['create', 'token', name, '-n', namespace])).trim();
    const config = parse(await kubectl(['config', 'view', '--raw', '--minify', '-o', 'yaml']));
    config.users[0].user = { token };
    config.contexts[0].context.namespace = namespace;
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, stringify(config), { mode: 0o600 });
    return file;
  }
  const rule = (verbs: string[], ...resources: string[]) => ({ apiGroups: [''], resources, verbs });
  const READ = ['get', 'list', 'watch'];

  it('says of each pod what kubectl says of it', async () => {
    const words = async () => {
      const text = await kubectl(['get', 'pods', '-n', namespace, '--no-headers']);
      return text.split('\n').map((line) => line.trim().split(/\s+/).slice(0, 4).join(' '));
    };
    const ours = async () =>
      (await pods(kubernetes, { namespace, sort: 'name' })).items.map(
        ({ name, ready, containers, status, restarts }) => `${name} ${ready}/${containers} ${status} ${restarts}`,
      );
    await expect
      .poll(async () => (await words()).join(), { timeout: 60_000 })
      .toMatch(/fails 0\/1 Error.*never 0\/1 ErrImageNeverPull/);
    // Between two questions a pod may move on; that they agree at some moment is what counts.
    await expect
      .poll(async () => [await ours(), await words(), await ours()].map(String), { timeout: 60_000, interval: 300 })
      .toSatisfy(([before, theirs, after]: string[]) => theirs === before || theirs === after);
  }, 130_000);

  it('puts those that wait first, with the reason of whoever decided it', async () => {
    await expect.poll(async () => (await onePod('fails'))?.state, { timeout: 60_000 }).toBe('failed');
    const { items, view } = await pods(kubernetes, { namespace });
    expect(view).toMatchObject({ live: true, isWhole: true, isSample: false, namespaces: null, denied: [] });
    expect(items[0]).toMatchObject({
      name: 'waits',
      state: 'pending',
      reason: expect.stringContaining('Insufficient cpu'),
    });
    expect(items.find(({ name }) => name === 'never')).toMatchObject({
      state: 'failing',
      reason: expect.stringContaining('is not present with pull policy of Never'),
    });
    expect(items.find(({ name }) => name === 'fails')).toMatchObject({
      state: 'failed',
      reason: 'main ended with exit code 7',
    });
    const health = await kubernetes.health({ signal: signal() });
    expect(health).toMatchObject({ state: 'connected', source: 'kubeconfig', version: expect.stringMatching(/^1\./) });
    expect(health.waiting.some(({ reason }) => reason.includes('Insufficient cpu'))).toBe(true);
  }, 90_000);

  it('follows: what is made appears, what is removed goes, without anybody asking again', async () => {
    await pods(kubernetes, { namespace });
    await kubectl(['apply', '-f', '-'], manifest('comes-and-goes', sh('sleep 600')));
    await expect.poll(async () => (await onePod('comes-and-goes'))?.status, { timeout: 60_000 }).toBe('Running');
    await kubectl(['delete', 'pod', 'comes-and-goes', '-n', namespace, '--wait=false']);
    await expect.poll(async () => await onePod('comes-and-goes'), { timeout: 60_000 }).toBeUndefined();
  }, 130_000);

  it('shows a pod alone with its containers, its events and the job it runs', async () => {
    await expect.poll(async () => (await onePod('runs'))?.state, { timeout: 60_000 }).toBe('running');
    expect(await onePod('runs')).toMatchObject({ jobId: 'j_7k2m9x4q' });
    const pod = await kubernetes.pod(namespace, 'runs', { signal: signal() });
    expect(pod).toMatchObject({
      phase: 'Running',
      job: { id: 'j_7k2m9x4q', title: 'Job j_7k2m9x4q' },
      runs: [{ name: 'main', kind: 'container', state: 'running', ready: true }],
    });
    expect(pod.events.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['Scheduled', 'Started']));
    const waits = await kubernetes.pod(namespace, 'waits', { signal: signal() });
    expect(waits.events[0]).toMatchObject({ type: 'Warning', reason: 'FailedScheduling', from: 'default-scheduler' });
    await expect(kubernetes.pod(namespace, 'none', { signal: signal() })).rejects.toMatchObject({
      code: 'pod_not_found',
    });
  }, 90_000);

  it('follows a log; cut anywhere, it goes on without a line lost or said twice', async () => {
    await expect.poll(async () => (await onePod('runs'))?.state, { timeout: 60_000 }).toBe('running');
    const lines: PodLogText[] = [];
    while (lines.length < 150) {
      const cut = new AbortController();
      const from = lines.length;
      const options = { container: null, previous: false, tail: null, after: lines.at(-1)?.at ?? null, follow: true };
      try {
        for await (const batch of await kubernetes.log(undefined, namespace, 'runs', {
          ...options,
          signal: cut.signal,
        })) {
          lines.push(...batch);
          if (lines.length > from + 35) cut.abort();
        }
      } catch (error) {
        if (!cut.signal.aborted) throw error;
      }
    }
    expect(lines.map(({ text }) => text)).toEqual(lines.map((_, index) => `line ${index + 1}`));
  }, 120_000);

  it('says what a log waits for, and has that of the run before', async () => {
    const options = { container: null, previous: false, tail: 10, after: null, follow: false, signal: signal() };
    await expect(kubernetes.log(undefined, namespace, 'never', options)).rejects.toMatchObject({
      code: 'pod_log_not_there',
      message: expect.stringContaining('waiting to start'),
    });
    await expect.poll(async () => (await onePod('crashes'))?.restarts ?? 0, { timeout: 90_000 }).toBeGreaterThan(0);
    const before = async () => {
      const lines: string[] = [];
      for await (const batch of await kubernetes.log(undefined, namespace, 'crashes', { ...options, previous: true }))
        lines.push(...batch.map(({ text }) => text));
      return lines;
    };
    // For a moment after each fall the kubelet has the log of neither run, and says so in its place.
    await expect.poll(before, { timeout: 30_000, interval: 500 }).toEqual(['about to fall']);
  }, 120_000);

  it('knows its nodes: what they have, what is asked of them, how they are', async () => {
    const { items } = await kubernetes.nodes({ signal: signal() });
    const names = (await kubectl(['get', 'nodes', '-o', 'name'])).split('\n').map((name) => name.replace('node/', ''));
    expect(items.map(({ name }) => name).sort()).toEqual(names.sort());
    const ready = items.find(({ state }) => state === 'ready');
    expect(ready).toMatchObject({ version: expect.stringMatching(/^v1\./), pods: { allocatable: expect.any(Number) } });
    expect(ready?.cpu.allocatable).toBeGreaterThan(0);
    expect(ready?.memory.capacity).toBeGreaterThan(1e8);
    expect(ready?.conditions.map(({ type }) => type)).toContain('Ready');
    expect(ready?.pods.requested).toBeGreaterThan(0);
  }, 60_000);

  it('measures use where metrics.k8s.io is, and says so where it is not', async () => {
    const hasMetrics = await kubectl(['get', '--raw', '/apis/metrics.k8s.io/v1beta1/nodes']).then(
      (text) => JSON.parse(text).items.length > 0,
      () => false,
    );
    const { metrics } = await kubernetes.health({ signal: signal() });
    if (!hasMetrics) {
      console.warn('no metrics-server in this cluster: only that it is missing is tested');
      expect(metrics).toMatchObject({ available: false, detail: expect.stringContaining('metrics-server') });
      return;
    }
    const view = viewBy(cluster.kubeconfig);
    await expect
      .poll(async () => (await pods(view, { search: 'runs', namespace })).items[0]?.memory.used ?? 0, {
        timeout: 90_000,
      })
      .toBeGreaterThan(0);
  }, 120_000);

  describe('an account that may not see everything', { timeout: 90_000 }, () => {
    it('sees its own namespace where it may see nothing else, and is told what it may not', async () => {
      const view = viewBy(await account('narrow', [rule(READ, 'pods')]));
      const page = await pods(view, {});
      expect(page.view).toMatchObject({ live: true, isWhole: true, namespaces: [namespace] });
      expect(page.items.map(({ name }) => name)).toContain('runs');
      expect(new Set(page.items.map((pod) => pod.namespace))).toEqual(new Set([namespace]));
      const denied = page.view.denied.map(({ what, namespace: where }) => [what, where]);
      expect(denied).toEqual(
        expect.arrayContaining([
          ['pods', null],
          ['nodes', null],
          ['namespaces', null],
        ]),
      );
      expect(page.view.denied[0]?.message).toContain('cannot list resource "pods"');
      await expect(view.nodes({ signal: signal() })).rejects.toMatchObject({ code: 'k8s_forbidden', status: 403 });
      const pod = await view.pod(namespace, 'runs', { signal: signal() });
      expect(pod.eventsDenied).toMatchObject({ what: 'events', namespace });
      const options = { container: null, previous: false, tail: 1, after: null, follow: false, signal: signal() };
      await expect(view.log(undefined, namespace, 'runs', options)).rejects.toMatchObject({ code: 'k8s_forbidden' });
    });

    it('that may list namespaces has each that it may not read named', async () => {
      const view = viewBy(await account('lister', [rule(READ, 'pods')], [rule(['list'], 'namespaces')]));
      const page = await pods(view, {});
      expect(page.view.namespaces).toEqual([namespace]);
      expect(page.view.denied).toContainEqual({
        ...{ what: 'pods', namespace: 'kube-system' },
        message: expect.stringContaining('in the namespace "kube-system"'),
      });
    });

    it('that may see nothing is told so; given its rights, it sees without a restart', async () => {
      const view = viewBy(await account('nobody', []));
      expect(await view.health({ signal: signal() })).toMatchObject({ state: 'forbidden', pods: null, nodes: null });
      await expect(pods(view)).rejects.toMatchObject({ code: 'k8s_forbidden' });
      await account('nobody', [rule(READ, 'pods')]);
      await expect
        .poll(
          () =>
            pods(view).then(
              ({ total }) => total,
              () => 0,
            ),
          { timeout: 60_000 },
        )
        .toBeGreaterThan(0);
    });
  });

  it('out of reach, keeps what it read with its age; back again, has what happened meanwhile', async () => {
    const config = parse(await kubectl(['config', 'view', '--raw', '--minify', '-o', 'yaml']));
    const [{ name, cluster: of }] = config.clusters;
    const real = new URL(of.server);
    const line = await cuttableLine(real);
    closers.push(line.close);
    const through = { ...of, server: `https://127.0.0.1:${line.port}` };
    if (isIP(real.hostname) === 0) through['tls-server-name'] = real.hostname;
    const file = join(folder, 'cuttable.yaml');
    writeFileSync(file, stringify({ ...config, clusters: [{ name, cluster: through }] }), { mode: 0o600 });
    const view = viewBy(file);
    const before = await pods(view, { namespace });
    expect(before.view).toMatchObject({ live: true, isWhole: true });

    line.cut();
    await expect.poll(async () => (await pods(view, { namespace })).view.live, { timeout: 20_000 }).toBe(false);
    const cutOff = await pods(view, { namespace });
    expect(cutOff).toMatchObject({ total: before.total, view: { trouble: { code: 'k8s_unreachable' } } });
    await kubectl(['apply', '-f', '-'], manifest('made-meanwhile', sh('sleep 600')));
    const later = await pods(view, { namespace });
    expect(later.view.asOf).toBe(cutOff.view.asOf);
    expect(await view.health({ signal: signal() })).toMatchObject({
      state: 'unreachable',
      pods: { total: expect.any(Number) },
    });

    line.mend();
    await expect
      .poll(async () => (await pods(view, { namespace, search: 'made-meanwhile' })).total, { timeout: 40_000 })
      .toBe(1);
    await expect
      .poll(async () => (await view.health({ signal: signal() })).state, { timeout: 20_000 })
      .toBe('connected');
  }, 120_000);

  it('credentials that are refused, and a server that is not there, are told apart', async () => {
    const config = parse(await kubectl(['config', 'view', '--raw', '--minify', '-o', 'yaml']));
    const refused = join(folder, 'refused.yaml');
    writeFileSync(refused, stringify({ ...config, users: [{ name: config.users[0].name, user: { token: 'wrong' } }] }));
    expect(await viewBy(refused).health({ signal: signal() })).toMatchObject({ state: 'refused', pods: null });
    const nowhere = join(folder, 'nowhere.yaml');
    const [{ name, cluster: of }] = config.clusters;
    writeFileSync(
      nowhere,
      stringify({ ...config, clusters: [{ name, cluster: { ...of, server: 'https://127.0.0.1:1' } }] }),
    );
    const away = viewBy(nowhere);
    expect(await away.health({ signal: signal() })).toMatchObject({
      state: 'unreachable',
      detail: expect.stringContaining('refused'),
    });
    await expect(pods(away)).rejects.toMatchObject({ code: 'k8s_unreachable' });
    const none = viewBy(join(folder, 'none.yaml'));
    expect(await none.health({ signal: signal() })).toMatchObject({ state: 'not_connected', source: null });
    expect(await kubernetes.health({ context: 'none', signal: signal() })).toMatchObject({
      state: 'not_connected',
      detail: expect.stringContaining('no context none'),
    });
  }, 60_000);
}

/** A way to a server that can be cut and mended. */
async function cuttableLine(to: URL): Promise<{ port: number; cut: () => void; mend: () => void; close: () => void }> {
  const open = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(Number(to.port || 443), to.hostname.replace(/^\[|\]$/g, ''));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const cut = () => {
    isCut = true;
    for (const socket of open) socket.destroy();
  };
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    cut,
    mend: () => {
      isCut = false;
    },
    close: () => {
      cut();
      server.close();
    },
  };
}
