import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from '@hangar/contract';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { ROOT } from '../e2e/server-process.ts';
import { clusterForTests } from './cluster.ts';
import { ServerForPods } from './server-for-pods.ts';

const cluster = await clusterForTests();

if ('skipped' in cluster) test('sandboxes on Kubernetes', ({ skip }) => skip(cluster.skipped));
else {
  const { kubectl } = cluster;
  let server: ServerForPods;
  let namespace = '';
  const leave: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    server = await ServerForPods.start(cluster);
    leave.push(server.remove);
    const made = await cluster.namespace();
    leave.push(made.remove);
    namespace = made.name;
    const template = parse(readFileSync(join(ROOT, 'deploy/k8s/job-template.yaml'), 'utf8'));
    template.spec.template.spec.containers[0].resources.requests = { cpu: '20m', memory: '64Mi' };
    await server.profile('pods', { namespace, startSeconds: '60', template: stringify(template) });
  }, 240_000);
  afterAll(async () => {
    for (const step of leave.reverse()) await step();
  }, 60_000);

  const hangar = (...args: string[]) => server.server.hangar(['sandbox', ...args]);
  async function opened(...flags: string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await hangar('open', '--on', 'pods', ...flags, '--json');
    expect(exitCode, stderr).toBe(0);
    const sandbox = JSON.parse(stdout) as Sandbox;
    expect(sandbox).toMatchObject({ state: 'running' });
    return sandbox.id;
  }
  const shown = async (id: string) => JSON.parse((await hangar('show', id, '--json')).stdout) as Sandbox;
  const ended = async (id: string) => {
    await expect.poll(async () => (await shown(id)).state, { timeout: 90_000 }).toMatch(/^(closed|failed|lost)$/);
    return shown(id);
  };
  const partsOf = (id: string, kinds = 'jobs,pods,secrets') =>
    kubectl(['get', kinds, '-n', namespace, '-l', `hangar.dev/job=${id}`, '-o', 'name']);
  const podOf = async (id: string) => (await partsOf(id, 'pods')).trim();

  describe('a sandbox on Kubernetes', { timeout: 180_000 }, () => {
    let id = '';
    beforeAll(async () => {
      id = await opened();
    }, 180_000);

    it('has stdin with an end, stdout and stderr apart, and the exit code', async () => {
      const words = ['exec', id, '--', 'sh', '-c', 'cat; echo err >&2; exit 7'];
      const run = await server.server.hangar(['sandbox', ...words], { input: 'hi\n' });
      expect(run).toMatchObject({ stdout: 'hi', exitCode: 7 });
      expect(run.stderr.trim().split('\n')).toContain('err');
    });

    it('takes and gives 3 MB byte for byte', async () => {
      const bytes = randomBytes(3_000_000);
      const run = await server.server.hangarBytes(['sandbox', 'exec', id, '--', 'cat'], bytes);
      expect(run.exitCode, run.stderr).toBe(0);
      expect(run.stdout.equals(bytes)).toBe(true);
    });

    it('has a home to write to, and takes files and gives them', async () => {
      const home = await hangar('exec', id, '--', 'sh', '-c', 'pwd; id -u; printf made >made.txt');
      expect(home).toMatchObject({ stdout: '/job\n1000', exitCode: 0 });
      const back = await server.server.hangarBytes(['cp', `${id}:made.txt`, '-'], new Uint8Array());
      expect(back.stdout.toString()).toBe('made');
    });

    it('an agent works in it, as a job', async () => {
      const spec = join(server.server.dir, 'in-sandbox.md');
      writeFileSync(spec, '# Try\n\n```sh\ncat "$HOME/state" && echo worked > worked\n```\n');
      await hangar('exec', id, '--shell', 'echo of the sandbox > "$HOME/state"');
      const args = ['run', '--in', id, '--agent', 'shell', '--spec', spec, '--wait', '--json'];
      const run = await server.server.hangar(args, { cwd: server.repo });
      expect(run.exitCode, run.stderr).toBe(0);
      expect(run.stderr).toContain('of the sandbox');
      expect(JSON.parse(run.stdout)).toMatchObject({ state: 'succeeded', sandbox: id, diff: { filesChanged: 1 } });
    });

    it('loses no line and repeats none when the server dies in the middle', async () => {
      const script = 'for i in $(seq 30); do echo $i; sleep 0.2; done';
      const run = hangar('exec', id, '--', 'sh', '-c', script);
      await expect
        .poll(async () => (await hangar('show', id, '--json')).stdout, { timeout: 60_000 })
        .toContain('"running"');
      await sleep(2_000);
      await server.server.kill('SIGKILL');
      await server.server.start();
      const { stdout, stderr, exitCode } = await run;
      expect(exitCode, stderr).toBe(0);
      expect(stdout.split('\n')).toEqual(Array.from({ length: 30 }, (_, n) => String(n + 1)));
    });

    it('is closed when nothing is left of it', async () => {
      await hangar('exec', id, '--detach', '--', 'sleep', '1000');
      expect(await partsOf(id)).toContain('pod/');
      const { exitCode, stderr } = await hangar('close', id);
      expect(exitCode, stderr).toBe(0);
      expect((await partsOf(id)).trim()).toBe('');
      expect((await shown(id)).state).toBe('closed');
      expect((await hangar('exec', id, '--', 'true')).stderr).toContain('sandbox_closed');
    });
  });

  describe('a sandbox on Kubernetes has its bounds', { timeout: 180_000 }, () => {
    it('CPU and memory are those that were asked for, and what takes more is killed, alone or with its machine', async () => {
      const id = await opened('--cpus', '0.5', '--memory', '128m');
      const pod = JSON.parse(await kubectl(['get', '-n', namespace, await podOf(id), '-o', 'json']));
      const { cpu, memory } = pod.spec.containers[0].resources.limits;
      expect([cpu, Number(memory)]).toEqual(['500m', 128 * 1024 ** 2]);
      const greedy = await hangar('exec', id, '--', 'sh', '-c', 'x=x; while :; do x=$x$x; done');
      expect(greedy.exitCode).not.toBe(0);
      // With control groups of version 2 the kubelet has all of a container killed, with version 1 the kernel kills the one.
      const after = await hangar('exec', id, '--', 'echo', 'lives on');
      if (after.exitCode === 0) expect(after.stdout).toBe('lives on');
      else expect(JSON.stringify(await ended(id))).toMatch(/Out of memory/);
      await hangar('close', id);
      await expect.poll(() => partsOf(id), { timeout: 60_000 }).toBe('');
    });

    it('is closed when its time is over, and nothing is left', async () => {
      const id = await opened('--lifetime', '1m');
      const sandbox = await ended(id);
      expect(sandbox.state).toBe('closed');
      await expect.poll(() => partsOf(id), { timeout: 60_000 }).toBe('');
    });

    it('one whose pod somebody removed or evicted is lost, says why, and leaves nothing', async () => {
      const ids = [await opened(), await opened()];
      const running = ids.map((id) => hangar('exec', id, '--', 'sleep', '1000'));
      await sleep(3_000);
      const [removed = '', evicted = ''] = await Promise.all(ids.map(podOf));
      await kubectl(['delete', '-n', namespace, removed, '--wait=false', '--grace-period=1']);
      const name = evicted.replace('pod/', '');
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
      const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
      await kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
      for (const id of ids) {
        const sandbox = await ended(id);
        expect(sandbox.state, JSON.stringify(sandbox)).toBe('lost');
        expect(JSON.stringify(sandbox)).toMatch(/evict|drained|removed|Kubernetes|gone/i);
        await expect.poll(() => partsOf(id), { timeout: 60_000 }).toBe('');
      }
      for (const run of running) expect((await run).exitCode).not.toBe(0);
    });
  });

  describe('an account that may not open processes in pods', { timeout: 180_000 }, () => {
    it('is told so by the test of the profile, which names the right, and by the sandbox', async () => {
      const role = parse(
        readFileSync(join(ROOT, 'deploy/k8s/base/rights-in-jobs.yaml'), 'utf8').split('\n---\n')[0] ?? '',
      );
      role.metadata = { name: 'less', namespace };
      const rules: { resources: string[] }[] = role.rules;
      role.rules = rules.filter(({ resources }) => !resources.includes('pods/exec'));
      expect(role.rules).toHaveLength(rules.length - 1);
      await kubectl(['apply', '-f', '-'], stringify(role));
      await kubectl(['create', 'serviceaccount', 'less', '-n', namespace]);
      await kubectl([
        'create',
        'rolebinding',
        'less',
        '-n',
        namespace,
        '--role=less',
        `--serviceaccount=${namespace}:less`,
      ]);
      await server.contextOf(cluster, 'less', namespace);
      await server.profile('less', { namespace, context: 'less', startSeconds: '60' });
      const tested = await server.server.hangar(['profiles', 'test', 'less']);
      expect(tested.stdout + tested.stderr).toMatch(/get pods\/exec, create pods\/exec/);
      const accepted = await hangar('open', '--on', 'less', '--no-wait', '--json');
      const { id } = JSON.parse(accepted.stdout) as Sandbox;
      await expect.poll(async () => JSON.stringify(await shown(id)), { timeout: 90_000 }).toMatch(/pods\/exec/);
      expect((await hangar('close', id)).exitCode).toBe(0);
      expect((await partsOf(id)).trim()).toBe('');
    });
  });
}
