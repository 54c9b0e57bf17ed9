import { describe, expect, it } from 'vitest';
import { nodeRow } from './node-row.ts';
import { eventOf, podSeen } from './pod-detail.ts';
import { podRow, type RawPod } from './pod-row.ts';

const pod = (status: RawPod['status'], rest: { metadata?: object; spec?: RawPod['spec'] } = {}): RawPod => ({
  metadata: { name: 'web-1', namespace: 'shop', uid: 'u', creationTimestamp: '2026-05-04T14:00:00Z', ...rest.metadata },
  spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1' }], ...rest.spec },
  ...(status === undefined ? {} : { status }),
});
const row = (object: RawPod) =>
  podRow(
    object,
    (labels) => labels['hangar.dev/job'] ?? null,
    (text) => text,
  );
const running = {
  name: 'main',
  ready: true,
  restartCount: 0,
  state: { running: { startedAt: '2026-05-04T14:00:01Z' } },
};
const waiting = (reason: string, message = '') => ({ name: 'main', state: { waiting: { reason, message } } });
const ended = (exitCode: number, reason: string) => ({ name: 'main', state: { terminated: { exitCode, reason } } });

/** What kubectl prints for the same pods: kubernetes/pkg/printers/internalversion/printers_test.go, TestPrintPod and others. */
describe('the word kubectl prints, and what it means', () => {
  it.each<[string, RawPod, object]>([
    [
      'running',
      pod({ phase: 'Running', containerStatuses: [running] }),
      { status: 'Running', state: 'running', ready: 1, containers: 1, reason: null },
    ],
    [
      'no node can take it',
      pod(
        {
          phase: 'Pending',
          conditions: [
            {
              type: 'PodScheduled',
              status: 'False',
              reason: 'Unschedulable',
              message: '0/5 nodes are available: 5 Insufficient cpu.',
            },
          ],
        },
        { spec: { containers: [{ name: 'main' }] } },
      ),
      { status: 'Pending', state: 'pending', reason: '0/5 nodes are available: 5 Insufficient cpu.' },
    ],
    [
      'held back by a gate',
      pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }),
      { status: 'SchedulingGated', state: 'pending' },
    ],
    [
      'its container is made',
      pod({ phase: 'Pending', containerStatuses: [waiting('ContainerCreating')] }),
      { status: 'ContainerCreating', state: 'pending', reason: null },
    ],
    [
      'no such image',
      pod({
        phase: 'Pending',
        containerStatuses: [waiting('ImagePullBackOff', 'Back-off pulling image "web:9": not found')],
      }),
      { status: 'ImagePullBackOff', state: 'failing', reason: 'main: Back-off pulling image "web:9": not found' },
    ],
    [
      'crashes again and again',
      pod({
        phase: 'Running',
        containerStatuses: [
          {
            ...waiting('CrashLoopBackOff', 'back-off 40s restarting failed container'),
            restartCount: 5,
            lastState: { terminated: { exitCode: 1, reason: 'Error', finishedAt: '2026-05-04T14:05:00Z' } },
          },
        ],
      }),
      {
        ...{ status: 'CrashLoopBackOff', state: 'failing', restarts: 5, restartedAt: Date.UTC(2026, 4, 4, 14, 5) },
        reason: 'main: back-off 40s restarting failed container; it ended with exit code 1',
      },
    ],
    [
      'evicted',
      pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' }),
      { status: 'Evicted', state: 'failed', reason: 'The node was low on resource: memory.' },
    ],
    [
      'out of memory',
      pod({ phase: 'Failed', containerStatuses: [ended(137, 'OOMKilled')] }),
      { status: 'OOMKilled', state: 'failed', reason: 'main ended with exit code 137 (OOMKilled)' },
    ],
    [
      'completed',
      pod({ phase: 'Succeeded', containerStatuses: [ended(0, 'Completed')] }),
      { status: 'Completed', state: 'succeeded', reason: null },
    ],
    [
      'one of two has completed',
      pod(
        { phase: 'Running', containerStatuses: [running, { ...ended(0, 'Completed'), name: 'once' }] },
        { spec: { containers: [{ name: 'main' }, { name: 'once' }] } },
      ),
      { status: 'NotReady', state: 'running', ready: 1, containers: 2 },
    ],
    [
      'being ended',
      pod(
        { phase: 'Running', containerStatuses: [running] },
        { metadata: { deletionTimestamp: '2026-05-04T15:00:00Z' } },
      ),
      { status: 'Terminating', state: 'terminating' },
    ],
    [
      'on a node that is gone',
      pod({ phase: 'Running', reason: 'NodeLost' }, { metadata: { deletionTimestamp: '2026-05-04T15:00:00Z' } }),
      { status: 'Unknown', state: 'unknown' },
    ],
    [
      'its start goes on',
      pod(
        {
          phase: 'Pending',
          initContainerStatuses: [
            { ...ended(0, 'Completed'), name: 'first' },
            { ...running, name: 'second' },
          ],
          containerStatuses: [waiting('PodInitializing')],
        },
        { spec: { containers: [{ name: 'main' }], initContainers: [{ name: 'first' }, { name: 'second' }] } },
      ),
      { status: 'Init:1/2', state: 'pending' },
    ],
    [
      'its start fails',
      pod(
        { phase: 'Pending', initContainerStatuses: [{ ...waiting('CrashLoopBackOff'), name: 'first' }] },
        { spec: { containers: [{ name: 'main' }], initContainers: [{ name: 'first' }] } },
      ),
      { status: 'Init:CrashLoopBackOff', state: 'failing', reason: 'first: CrashLoopBackOff' },
    ],
    [
      'a sidecar counts as a container',
      pod(
        {
          phase: 'Running',
          initContainerStatuses: [{ ...running, name: 'proxy', started: true, restartCount: 2 }],
          containerStatuses: [running],
          conditions: [{ type: 'Initialized', status: 'True' }],
        },
        { spec: { containers: [{ name: 'main' }], initContainers: [{ name: 'proxy', restartPolicy: 'Always' }] } },
      ),
      { status: 'Running', state: 'running', ready: 2, containers: 2, restarts: 2 },
    ],
    ['nothing known of it', pod(undefined), { status: 'Unknown', state: 'unknown', ready: 0 }],
  ])('%s', (_name, object, expected) => {
    expect(row(object)).toMatchObject(expected);
  });
});

describe('what a pod asks for', () => {
  const container = (name: string, cpu: string, memory: string, more = {}) => ({
    ...{ name, ...more },
    resources: { requests: { cpu, memory }, limits: { memory } },
  });

  it('is the sum of its containers, or the hungriest moment of its start, and the overhead', () => {
    const spec = {
      containers: [container('a', '100m', '64Mi'), container('b', '200m', '64Mi')],
      initContainers: [container('proxy', '50m', '16Mi', { restartPolicy: 'Always' }), container('init', '1', '32Mi')],
      overhead: { cpu: '10m' },
    };
    expect(row(pod({ phase: 'Running' }, { spec }))).toMatchObject({
      cpuRequested: expect.closeTo(1.06, 9),
      memoryRequested: 144 * 1024 ** 2,
      cpuLimit: null,
      memoryLimit: 128 * 1024 ** 2,
      devicesRequested: null,
    });
  });

  it('is what the pod as a whole asks for, where it does', () => {
    const spec = {
      containers: [container('a', '1', '1Gi')],
      resources: { requests: { cpu: '3' }, limits: { cpu: '4' } },
    };
    expect(row(pod({ phase: 'Running' }, { spec }))).toMatchObject({ cpuRequested: 3, cpuLimit: 4 });
  });

  it('names devices, also where only a limit is given', () => {
    const spec = { containers: [{ name: 'a', resources: { limits: { 'nvidia.com/gpu': '2', memory: '1Gi' } } }] };
    expect(row(pod({ phase: 'Running' }, { spec }))).toMatchObject({
      devicesRequested: { 'nvidia.com/gpu': 2 },
      memoryRequested: 1024 ** 3,
    });
  });
});

it('a pod of a job names it, and its owner', () => {
  const metadata = {
    labels: { 'hangar.dev/job': 'j_7k2m9x4q' },
    ownerReferences: [
      { kind: 'Node', name: 'x' },
      { kind: 'Job', name: 'hangar-j-7k2m9x4q-1', controller: true },
    ],
  };
  expect(row(pod({ phase: 'Running' }, { metadata }))).toMatchObject({
    jobId: 'j_7k2m9x4q',
    ownerKind: 'Job',
    ownerName: 'hangar-j-7k2m9x4q-1',
  });
});

it('nothing of a row holds more of a pod than it shows: no environment, no arguments', () => {
  const secret = {
    name: 'main',
    env: [{ name: 'TOKEN', value: 's3cr3t' }],
    args: ['--password=s3cr3t'],
    image: 'web:1',
  };
  const object = pod({ phase: 'Running', containerStatuses: [running] }, { spec: { containers: [secret] } });
  expect(JSON.stringify(row(object))).not.toContain('s3cr3t');
  expect(JSON.stringify(podSeen(object, () => null))).not.toContain('s3cr3t');
});

it('a pod that is looked at alone shows its containers in the order of their start', () => {
  const object = pod(
    {
      phase: 'Running',
      containerStatuses: [
        { ...running, restartCount: 1, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
      ],
      initContainerStatuses: [{ ...ended(0, 'Completed'), name: 'init' }],
    },
    { spec: { containers: [{ name: 'main', image: 'web:1' }], initContainers: [{ name: 'init', image: 'init:1' }] } },
  );
  expect(podSeen(object, () => null).rest.runs).toMatchObject([
    { name: 'init', kind: 'init', state: 'terminated', exitCode: 0 },
    { name: 'main', kind: 'container', state: 'running', restarts: 1, last: { reason: 'OOMKilled', exitCode: 137 } },
  ]);
});

it('an event is read in its old and its new form', () => {
  const metadata = { name: 'e' };
  expect(
    eventOf({
      ...{ metadata, type: 'Warning', reason: 'BackOff', message: 'm', count: 7, source: { component: 'kubelet' } },
      ...{ firstTimestamp: '2026-05-04T14:00:00Z', lastTimestamp: '2026-05-04T14:10:00Z' },
    }),
  ).toMatchObject({ type: 'Warning', from: 'kubelet', count: 7, lastAt: '2026-05-04T14:10:00.000Z' });
  expect(
    eventOf({
      ...{ metadata, type: 'Normal', reason: 'Scheduled', eventTime: '2026-05-04T14:00:00.5Z', firstTimestamp: null },
      ...{ reportingComponent: 'default-scheduler', series: { count: 3, lastObservedTime: '2026-05-04T14:01:00Z' } },
    }),
  ).toMatchObject({
    from: 'default-scheduler',
    count: 3,
    firstAt: '2026-05-04T14:00:00.500Z',
    lastAt: '2026-05-04T14:01:00.000Z',
  });
});

it('a node says what it has, how it is, and what it keeps pods away with', () => {
  const node = nodeRow({
    metadata: { name: 'gpu-1', labels: { 'node-role.kubernetes.io/worker': '', 'kubernetes.io/os': 'linux' } },
    spec: { unschedulable: true, taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] },
    status: {
      capacity: { cpu: '64', memory: '512Gi', pods: '110', 'nvidia.com/gpu': '8', 'hugepages-2Mi': '0' },
      allocatable: { cpu: '63500m', memory: '500Gi', pods: '110', 'nvidia.com/gpu': '7' },
      conditions: [
        { type: 'DiskPressure', status: 'True', message: 'kubelet has disk pressure' },
        { type: 'Ready', status: 'True' },
      ],
      addresses: [{ type: 'InternalIP', address: '10.0.0.7' }],
    },
  });
  expect(node).toMatchObject({
    ...{ unschedulable: true, roles: ['worker'], taints: ['gpu=yes:NoSchedule'], address: '10.0.0.7' },
    cpu: { capacity: 64, allocatable: 63.5 },
    devices: [{ name: 'nvidia.com/gpu', capacity: 8, allocatable: 7 }],
  });
  expect(node.conditions.map(({ type, ok }) => [type, ok])).toEqual([
    ['DiskPressure', false],
    ['Ready', true],
  ]);
});
