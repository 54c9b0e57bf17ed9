import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { ROOT } from '../e2e/server-process.ts';
import { clusterForTests } from './cluster.ts';
import { ServerForPods } from './server-for-pods.ts';

const cluster = await clusterForTests();

if ('skipped' in cluster) test('jobs on Kubernetes', ({ skip }) => skip(cluster.skipped));
else {
  const { kubectl } = cluster;
  let server: ServerForPods;
  let namespace = '';
  const leave: (() => Promise<unknown>)[] = [];
  const inNamespace = (name: string, ...kinds: string[]) =>
    kubectl(['get', kinds.join(','), '-n', name, '-o', 'name', '-l', 'app.kubernetes.io/managed-by=hangar']);

  beforeAll(async () => {
    server = await ServerForPods.start(cluster);
    leave.push(server.remove);
    const made = await cluster.namespace();
    leave.push(made.remove);
    namespace = made.name;
    await server.profile('pods', { namespace, startSeconds: '60' });
    await server.profile('hasty', { namespace, startSeconds: '10' });
  }, 240_000);
  afterAll(async () => {
    for (const step of leave.reverse()) await step();
  }, 60_000);

  const standard = () => parse(readFileSync(join(ROOT, 'deploy/k8s/job-template.yaml'), 'utf8'));

  describe.concurrent('jobs on Kubernetes', { timeout: 170_000 }, () => {
    it.for(['node', 'full', 'slim'] as const)('run, and leave nothing: image %s', async (kind, { expect }) => {
      const id = await server.send(
        'pods',
        'echo hello from $(id -u); echo made > made.txt',
        '--image',
        await cluster.image(kind),
      );
      const job = await server.ended(id);
      expect(job, job.reason).toMatchObject({ state: 'succeeded', driver: 'kubernetes' });
      expect(await server.log(id)).toContain('hello from 1000');
      const pulled = await server.server.hangar(['pull', id, '--stat'], { cwd: server.repo });
      expect(pulled.stdout).toContain('made.txt');
      await expect
        .poll(() => inNamespace(namespace, 'jobs', 'pods', 'secrets').then((left) => left.includes(id.slice(2))), {
          timeout: 30_000,
        })
        .toBe(false);
    });

    it('an image that nobody has', async ({ expect }) => {
      const job = await server.ended(await server.send('pods', 'true', '--image', 'localhost/none:1'));
      expect(job).toMatchObject({
        state: 'failed',
        failure: { code: 'image_not_found', message: expect.stringContaining('never to pull') },
      });
      expect(job.failure?.wayOut).toContain('--image');
    });

    it('an image that the registry does not know', async ({ expect }) => {
      const registry = http.createServer((request, response) => {
        const isPing = request.url === '/v2/';
        const body = { errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] };
        response.writeHead(isPing ? 200 : 404, { 'content-type': 'application/json' });
        response.end(isPing ? '{}' : JSON.stringify(body));
      });
      await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
      leave.push(async () => registry.close());
      const address = registry.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      await server.profile('pulling', { namespace, pull: 'missing', startSeconds: '60' });
      const job = await server.ended(await server.send('pulling', 'true', '--image', `localhost:${port}/team/none:1`));
      expect(job).toMatchObject({ state: 'failed', failure: { code: 'image_not_found' } });
      expect(job.failure?.message).toMatch(/localhost:\d+\/team\/none:1 cannot be pulled: .*not found/);
    });

    it('an image without git', async ({ expect }) => {
      const id = await server.send('pods', 'true', '--image', await cluster.image('without-git'));
      const job = await server.ended(id);
      expect(job).toMatchObject({
        state: 'failed',
        failure: { code: 'image_unsuitable', message: expect.stringContaining('no git') },
      });
      expect(await server.log(id)).toContain('worker: hangar: the image has no git');
    });

    it('more than any node has', async ({ expect }) => {
      const id = await server.send('hasty', 'true', '--cpus', '900');
      const waiting = await server.until(id, ({ reason }) => /No node can take it/.test(reason));
      expect(waiting).toMatchObject({ state: 'starting', reason: expect.stringContaining('Insufficient cpu') });
      const job = await server.ended(id);
      expect(job).toMatchObject({
        state: 'failed',
        failure: { code: 'unschedulable', message: expect.stringContaining('Insufficient cpu') },
      });
      expect(job.failure?.wayOut).toContain('--cpus');
    });

    it('more memory than it may have', async ({ expect }) => {
      const id = await server.send('pods', 'tail /dev/zero', '--memory', '256m');
      const job = await server.ended(id);
      expect(job).toMatchObject({ state: 'failed', failure: { code: 'out_of_memory' } });
      expect(job.failure?.message).toContain('256 MiB');
    });

    it('more disk than it may have', async ({ expect }) => {
      const template = standard();
      template.spec.template.spec.containers[0].resources.limits = { 'ephemeral-storage': '30Mi' };
      template.spec.template.spec.containers[0].resources.requests['ephemeral-storage'] = '30Mi';
      await server.profile('narrow', { namespace, template: stringify(template) });
      const id = await server.send(
        'narrow',
        'head -c 90000000 /dev/zero > big; sleep 100',
        '--image',
        await cluster.image('node'),
      );
      const job = await server.ended(id, 150_000);
      expect(job, job.reason).toMatchObject({
        state: 'lost',
        failure: { code: 'worker_evicted', message: expect.stringContaining('ephemeral') },
      });
      expect(job.failure?.wayOut).toContain('hangar retry');
    });

    it('longer than Kubernetes was told', async ({ expect }) => {
      const id = await server.send('pods', 'echo at work; sleep 300');
      await server.until(id, ({ state }) => state === 'running');
      const name = `hangar-${id.replace('_', '-')}-1`;
      await kubectl([
        'patch',
        'job',
        name,
        '-n',
        namespace,
        '--type=merge',
        '-p',
        '{"spec":{"activeDeadlineSeconds":3}}',
      ]);
      const job = await server.ended(id);
      expect(job, job.reason).toMatchObject({ state: 'timed_out', failure: { code: 'job_timeout' } });
      expect(await server.log(id)).toContain('at work');
    });

    it('a node that is drained', async ({ expect }) => {
      const id = await server.send('pods', 'echo half > half.txt; echo at work; sleep 300');
      await server.until(id, ({ state }) => state === 'running');
      await expect.poll(() => server.log(id), { timeout: 20_000 }).toContain('at work');
      const pod = (await kubectl(['get', 'pods', '-n', namespace, '-l', `hangar.dev/job=${id}`, '-o', 'name']))
        .trim()
        .replace('pod/', '');
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } };
      await kubectl(
        ['create', '--raw', `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`, '-f', '-'],
        JSON.stringify(eviction),
      );
      const job = await server.ended(id);
      expect(job, job.reason).toMatchObject({
        state: 'lost',
        failure: { code: 'worker_evicted', message: expect.stringContaining('drained') },
      });
      const pulled = await server.server.hangar(['pull', id, '--stat'], { cwd: server.repo });
      expect(pulled.stdout + pulled.stderr).toContain('half.txt');
    });

    it('a job that is cancelled, while it runs and while it waits', async ({ expect }) => {
      const running = await server.send('pods', 'echo half > half.txt; echo at work; sleep 300');
      const waiting = await server.send('pods', 'true', '--cpus', '900');
      await server.until(waiting, ({ reason }) => /No node can take it/.test(reason));
      await expect.poll(() => server.log(running), { timeout: 40_000 }).toContain('at work');
      for (const id of [running, waiting]) {
        const said = await server.server.hangar(['cancel', id]);
        expect(said.exitCode, said.stderr).toBe(0);
      }
      expect((await server.ended(waiting)).state).toBe('cancelled');
      expect((await server.ended(running)).state).toBe('cancelled');
      const pulled = await server.server.hangar(['pull', running, '--stat'], { cwd: server.repo });
      expect(pulled.stdout + pulled.stderr).toContain('half.txt');
      for (const id of [running, waiting]) {
        const left = () => inNamespace(namespace, 'jobs', 'pods', 'secrets').then((all) => all.includes(id.slice(2)));
        await expect.poll(left, { timeout: 30_000 }).toBe(false);
      }
    });

    it('a quota that is full', async ({ expect }) => {
      const full = await cluster.namespace();
      leave.push(full.remove);
      await kubectl(['create', 'quota', 'none', '-n', full.name, '--hard=pods=0']);
      await server.profile('full', { namespace: full.name, startSeconds: '8' });
      const id = await server.send('full', 'true');
      const waiting = await server.until(id, ({ reason }) => /quota/.test(reason));
      expect(waiting.state).toBe('starting');
      const job = await server.ended(id);
      expect(job).toMatchObject({
        state: 'failed',
        failure: { code: 'quota_refused', message: expect.stringContaining('exceeded quota: none') },
      });
      expect(job.failure?.wayOut).toContain('ResourceQuota');
      await expect.poll(() => inNamespace(full.name, 'jobs', 'pods', 'secrets'), { timeout: 20_000 }).toBe('');
    });

    it('a rule of the cluster', async ({ expect }) => {
      const strict = await cluster.namespace();
      leave.push(strict.remove);
      await kubectl(['label', 'namespace', strict.name, 'pod-security.kubernetes.io/enforce=restricted']);
      await server.profile('strict', { namespace: strict.name });
      const good = await server.ended(await server.send('strict', 'true'));
      expect(good.state, good.reason).toBe('succeeded');
      const template = standard();
      template.spec.template.spec.containers[0].securityContext = { privileged: true };
      await server.profile('loose', { namespace: strict.name, template: stringify(template) });
      const job = await server.ended(await server.send('loose', 'true'));
      expect(job).toMatchObject({
        state: 'failed',
        failure: { code: 'admission_refused', message: expect.stringContaining('violates PodSecurity') },
      });
      expect(job.failure?.wayOut).toContain('template');
      await expect.poll(() => inNamespace(strict.name, 'jobs', 'pods', 'secrets'), { timeout: 20_000 }).toBe('');
    });

    it('a namespace that is not there, and a template that Kubernetes does not take', async ({ expect }) => {
      await server.profile('nowhere', { namespace: 'hangar-none' });
      const nowhere = await server.server.hangar(['profiles', 'test', 'nowhere', '--json']);
      expect(nowhere.stdout).toContain('kubectl create namespace hangar-none');
      const template = standard();
      template.spec.template.spec.containers[0].resurces = {};
      await server.profile('typo', { namespace, template: stringify(template) });
      const typo = await server.server.hangar(['profiles', 'test', 'typo', '--json']);
      expect(typo.stdout).toContain('unknown field');
      const job = await server.ended(await server.send('typo', 'true'));
      expect(job).toMatchObject({ state: 'failed', failure: { code: 'job_template_invalid' } });
    });

    it('an account without rights, and pods that do not reach the server', async ({ expect }) => {
      await kubectl(['create', 'serviceaccount', 'weak', '-n', namespace]);
      await server.contextOf(cluster, 'weak', namespace);
      await server.profile('weak', { context: 'weak' });
      const weak = await server.server.hangar(['profiles', 'test', 'weak', '--json']);
      expect(weak.stdout).toMatch(/may not create jobs,.* in namespace/);
      const refused = await server.ended(await server.send('weak', 'true'));
      expect(refused).toMatchObject({ state: 'failed', failure: { code: 'cluster_forbidden' } });
      await server.profile('deaf', { namespace, serverUrl: `http://${cluster.hostForPods}:1` });
      const deaf = await server.server.hangar(['profiles', 'test', 'deaf', '--json'], { timeoutMs: 100_000 });
      expect(deaf.stdout).toMatch(/ECONNREFUSED/);
      expect(deaf.stdout).toContain('serverUrl');
      const good = await server.server.hangar(['profiles', 'test', 'pods', '--json'], { timeoutMs: 100_000 });
      expect(JSON.parse(good.stdout)).toMatchObject({ ok: true });
    });
  });
}
