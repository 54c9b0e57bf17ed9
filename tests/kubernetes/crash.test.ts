import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { ROOT } from '../e2e/server-process.ts';
import { clusterForTests } from './cluster.ts';
import { clusterParts } from './cluster-parts.ts';
import { ServerForPods } from './server-for-pods.ts';

const cluster = await clusterForTests();
const skipped =
  'skipped' in cluster ? cluster.skipped : cluster.home === null ? 'KUBECONFIG is no cluster that may be killed' : null;

if (skipped !== null || 'skipped' in cluster || cluster.home === null) {
  test('a cluster that fails', ({ skip }) => skip(skipped ?? ''));
} else {
  const { kubectl, home } = cluster;
  const parts = clusterParts(home);
  let server: ServerForPods;
  let namespace = '';
  const leave: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    server = await ServerForPods.start(cluster);
    leave.push(server.remove);
    const made = await cluster.namespace();
    leave.push(made.remove);
    namespace = made.name;
    await server.profile('pods', { namespace, template: stringify(light()) });
  }, 240_000);
  afterAll(async () => {
    for (const step of leave.reverse()) await step();
  }, 60_000);

  /** Ten of it fit on a small machine. */
  const light = () => {
    const template = parse(readFileSync(join(ROOT, 'deploy/k8s/job-template.yaml'), 'utf8'));
    template.spec.template.spec.containers[0].resources.requests = { cpu: '20m', memory: '64Mi' };
    return template;
  };
  const counting = (lines: number) => `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "line $i"; sleep 0.5; done`;
  const many = (lines: number) => Promise.all(Array.from({ length: 10 }, () => server.send('pods', counting(lines))));
  /** The numbers that the job counted, as its log has them. */
  const counted = async (id: string) =>
    [...(await server.log(id)).matchAll(/^.*?line (\d+)$/gm)].map(([, n]) => Number(n));
  const upTo = (n: number) => Array.from({ length: n }, (_, at) => at + 1);
  const runs = (id: string) => server.until(id, ({ state }) => state === 'running', 60_000);
  const isEmpty = () =>
    expect
      .poll(() => kubectl(['get', 'jobs,pods,secrets', '-n', namespace, '-o', 'name']).catch(String), {
        timeout: 60_000,
      })
      .toBe('');

  /** Stops the kubelet and all workers, as if the machine had no network any more. */
  async function whileSilent(work: () => Promise<void>): Promise<void> {
    const frozen = [parts.pidOf('kubelet'), ...parts.workersInPods()];
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    try {
      await work();
    } finally {
      for (const pid of frozen) {
        try {
          process.kill(pid, 'SIGCONT');
        } catch {
          // Gone meanwhile.
        }
      }
    }
  }
  /** The node is back, and has ended what was left on it. */
  async function isWell(): Promise<void> {
    await expect.poll(() => parts.workersInPods(), { timeout: 60_000 }).toEqual([]);
    await kubectl(['wait', 'node', '--all', '--for=condition=Ready', '--timeout=90s']);
  }

  describe('a cluster that fails', () => {
    it('the API server is away for 20 s in the middle of ten jobs: all succeed, no line is missing, no pod is left', async () => {
      const lines = 100;
      const ids = await many(lines);
      for (const id of ids) await runs(id);
      const start = parts.kill('kube-apiserver');
      const meanwhile = await server.send('pods', 'echo at last');
      const waiting = await server.until(meanwhile, ({ reason }) => /API server/.test(reason), 30_000);
      expect(waiting).toMatchObject({ state: 'starting', reason: expect.stringMatching(/refused.* Trying again/) });
      await sleep(20_000);
      await start();
      for (const id of [...ids, meanwhile]) {
        const job = await server.ended(id, 120_000);
        expect(job.state, `${id}: ${job.reason}`).toBe('succeeded');
        expect(new Set(job.events.map(({ attempt }) => attempt))).toEqual(new Set([1]));
      }
      for (const id of ids) expect(await counted(id)).toEqual(upTo(lines));
      await isEmpty();
    }, 300_000);

    it('the API server is away for 20 s in the middle of an execution: no line is missing, and the sandbox is the same', async () => {
      const hangar = (...args: string[]) => server.server.hangar(['sandbox', ...args]);
      const opened = await hangar('open', '--on', 'pods', '--json');
      expect(opened.exitCode, opened.stderr).toBe(0);
      const { id } = JSON.parse(opened.stdout) as { id: string };
      const run = hangar('exec', id, '--', 'sh', '-c', `${counting(100)}; exit 7`);
      await sleep(10_000);
      const start = parts.kill('kube-apiserver');
      await sleep(20_000);
      await start();
      const { stdout, stderr, exitCode } = await run;
      expect(exitCode, stderr).toBe(7);
      expect(stdout.split('\n')).toEqual(upTo(100).map((n) => `line ${n}`));
      const after = await hangar('exec', id, '--', 'echo', 'well');
      expect(after.stdout, after.stderr).toBe('well');
      expect((await hangar('close', id)).exitCode).toBe(0);
      await isEmpty();
    }, 300_000);

    it('the node starts again in the middle of ten jobs: all are lost and say why, no line is missing, no pod is left', async () => {
      const ids = await many(600);
      for (const id of ids) await runs(id);
      await sleep(3_000);
      await parts.restartNode();
      for (const id of ids) {
        const job = await server.ended(id, 150_000);
        expect(job, `${id}: ${job.reason}`).toMatchObject({ state: 'lost' });
        expect(['node_lost', 'worker_lost', 'worker_evicted']).toContain(job.failure?.code);
        expect(job.failure?.wayOut).toContain('hangar retry');
        const seen = await counted(id);
        expect(seen.length).toBeGreaterThan(3);
        expect(seen).toEqual(upTo(seen.length));
      }
      const after = await server.ended(await server.send('pods', 'echo well again'), 120_000);
      expect(after.state, after.reason).toBe('succeeded');
      await isEmpty();
    }, 400_000);

    it('a server that starts says which profile the cluster would refuse', async () => {
      const template = light();
      template.spec.template.spec.containers[0].resurces = {};
      await server.profile('typo', { namespace, template: stringify(template) });
      await server.server.kill('SIGTERM');
      await server.server.start();
      const said = () => server.server.output;
      await expect
        .poll(said, { timeout: 20_000 })
        .toMatch(/"profile":"typo".*"code":"job_template_invalid".*unknown field/);
      expect(said()).not.toMatch(/"profile":"pods".*"code"/);
    }, 60_000);

    it('a node falls silent with its worker: the job is lost, and its pod does not stay', async () => {
      const template = light();
      // What else gives a node up takes five minutes, and never does where it is the only one.
      const taint = 'node.kubernetes.io/unreachable';
      template.spec.template.spec.tolerations = [
        { key: taint, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 0 },
      ];
      await server.profile('brittle', { namespace, template: stringify(template) });
      const id = await server.send('brittle', counting(600));
      await runs(id);
      await whileSilent(async () => {
        await kubectl(['taint', 'nodes', '--all', `${taint}=:NoExecute`, '--overwrite']);
        const job = await server.ended(id, 120_000);
        expect(job, job.reason).toMatchObject({ state: 'lost', failure: { code: 'node_lost' } });
        await isEmpty();
      });
      await kubectl(['taint', 'nodes', '--all', `${taint}:NoExecute-`]).catch(() => {});
      await isWell();
    }, 400_000);

    it('a job on a node that fell silent can be cancelled, and gives its place free', async () => {
      const id = await server.send('pods', counting(600));
      await runs(id);
      await whileSilent(async () => {
        const said = await server.server.hangar(['cancel', id]);
        expect(said.exitCode, said.stderr).toBe(0);
        expect((await server.ended(id, 240_000)).state).toBe('cancelled');
        await isEmpty();
      });
      await isWell();
    }, 500_000);
  });
}
