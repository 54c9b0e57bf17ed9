import type { ClusterHealth, ClusterNodes, PodDetail, PodPage } from '@hangar/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServerProcess } from './server-process.ts';

describe('the cluster in view, from the command line', { timeout: 60_000 }, () => {
  let demo: ServerProcess;
  let alone: ServerProcess;
  beforeAll(async () => {
    demo = await (await ServerProcess.make({ HANGAR_DEMO: 'true' })).start();
    alone = await (await ServerProcess.make({ KUBECONFIG: '/nowhere/kubeconfig' })).start();
    await demo.signIn();
    await alone.signIn();
  }, 120_000);
  afterAll(async () => {
    await demo?.remove();
    await alone?.remove();
  });
  const json = async <T>(...args: string[]) => JSON.parse((await demo.hangar([...args, '--json'])).stdout) as T;

  it('without a cluster says so, and what to do', async () => {
    const health = await alone.hangar(['k8s']);
    expect(health.exitCode).toBe(0);
    expect(health.stdout).toContain('– not connected');
    expect(health.stdout).toContain('KUBECONFIG');
    const pods = await alone.hangar(['k8s', 'pods']);
    expect(pods.exitCode).toBe(4);
    expect(pods.stderr).toContain('/nowhere/kubeconfig');
    expect(pods.stdout).toBe('');
  });

  it('shows made-up data only in demo mode, and says that it is', async () => {
    const health = await demo.hangar(['k8s', 'health']);
    expect(health.stdout).toMatch(/✓ connected {2}sample/);
    expect(health.stderr).toContain('Sample data');
    expect(health.stdout).toContain('Insufficient nvidia.com/gpu');
    expect(await json<ClusterHealth>('k8s', 'health')).toMatchObject({ source: 'sample', view: { isSample: true } });
  });

  it('lists nodes and pods, filtered, sorted and paged by the server', async () => {
    const { items } = await json<ClusterNodes>('k8s', 'nodes');
    expect(items.map(({ name }) => name)).toEqual(['cpu-3', 'cpu-1', 'cpu-2', 'gpu-1', 'gpu-2']);
    const pods = await demo.hangar(['k8s', 'pods']);
    expect(pods.stdout.split('\n')[0]).toMatch(/^train +finetune-large-\w+ +○ Pending +0\/1/);
    expect(pods.stderr).toContain('20 of 40 pods');
    const failing = await json<PodPage>(
      'k8s',
      'pods',
      '--status',
      'failing',
      '--status',
      'failed',
      '--sort',
      'name',
      '--reverse',
      '-n',
      '2',
    );
    expect(failing).toMatchObject({ total: 3, all: 40 });
    expect(failing.items).toHaveLength(2);
    const wrong = await demo.hangar(['k8s', 'pods', '--status', 'sleeping']);
    expect(wrong.exitCode).toBe(2);
  });

  it('shows a pod with its events, and follows its log to the end', async () => {
    const pod = await json<PodDetail>('k8s', 'pod', 'data', 'postgres-0');
    expect(pod).toMatchObject({ name: 'postgres-0', state: 'running' });
    const shown = await demo.hangar(['k8s', 'pod', 'data', 'postgres-0']);
    expect(shown.stdout).toContain('Assigned data/postgres-0');
    const log = await demo.hangar(['k8s', 'logs', 'data', 'postgres-0', '--tail', '3']);
    expect(log.stdout.split('\n')).toHaveLength(3);
    const [ended] = (await json<PodPage>('k8s', 'pods', '--status', 'succeeded')).items;
    const followed = await demo.hangar(['k8s', 'logs', 'data', ended?.name ?? '', '--tail', '5', '--follow', '--json']);
    expect(followed.exitCode).toBe(0);
    const lines = followed.stdout.split('\n').map((line) => JSON.parse(line) as { n: number });
    expect(lines.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5]);
    const none = await demo.hangar(['k8s', 'pod', 'data', 'none']);
    expect(none).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('no pod none') });
  });
});
