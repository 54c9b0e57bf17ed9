import { describe, expect, test } from 'vitest';
import type { PodSeen } from './pod.ts';
import { memoryInWords, unitState } from './unit-state.ts';

const pod = (more: Partial<PodSeen>): PodSeen => ({
  ...{
    name: 'p',
    uid: 'u',
    unit: 'hangar-j-1-1',
    program: 'worker',
    createdAt: 0,
    isTerminating: false,
    node: '',
    phase: 'Pending',
  },
  ...{ reason: '', message: '', unscheduled: null, disruption: null, waiting: null, installEnded: null },
  ...{ workerEnded: null, workerRuns: false, image: 'img', memoryLimit: '' },
  ...more,
});
const ended = (exitCode: number, reason = 'Error', message = '') => ({ exitCode, reason, message });
const early = { waitedMs: 3_000, startMs: 60_000 };
const late = { waitedMs: 61_000, startMs: 60_000 };
const waiting = (reason: string, message = '') => pod({ node: 'n', waiting: { reason, message, image: 'img' } });

describe('a pod that waits', () => {
  const unscheduled = pod({ unscheduled: '0/5 nodes are available: 5 Insufficient cpu. preemption: none.' });
  const notFound = 'rpc error: code = NotFound desc = failed to resolve reference "r/img": not found';
  const away = 'failed to do request: Head "https://r/v2/": dial tcp: lookup r: no such host';
  test.each([
    ['without a node', pod({}), early, { kind: 'starting', reason: 'Waiting for a node' }],
    ['for room', unscheduled, early, { kind: 'starting', reason: expect.stringContaining('5 Insufficient cpu') }],
    ['for room too long', unscheduled, late, { kind: 'exited', code: 'unschedulable', exitCode: null }],
    ['for an image that is not there', waiting('ImagePullBackOff', notFound), early, { code: 'image_not_found' }],
    [
      'for a registry',
      waiting('ErrImagePull', away),
      early,
      { kind: 'starting', reason: expect.stringContaining('no such host') },
    ],
    ['for a registry too long', waiting('ImagePullBackOff', away), late, { kind: 'exited', code: 'image_not_found' }],
    ['for what is never pulled', waiting('ErrImageNeverPull'), early, { kind: 'exited', code: 'image_not_found' }],
    ['for a wrong name', waiting('InvalidImageName'), early, { kind: 'exited', code: 'image_not_found' }],
    [
      'for a volume',
      pod({ node: 'n' }),
      { ...early, warning: 'MountVolume.SetUp failed' },
      { kind: 'starting', reason: expect.stringContaining('MountVolume') },
    ],
    ['and is removed', pod({ isTerminating: true }), early, { kind: 'starting', reason: 'Kubernetes removes the pod' }],
  ])('%s', (_what, seen, o, expected) => {
    expect(unitState(seen, o)).toMatchObject(expected);
  });
});

describe('a pod that ended', () => {
  test.each([
    ['well', pod({ phase: 'Succeeded', workerEnded: ended(0, 'Completed') }), { exitCode: 0, outOfMemory: false }],
    [
      'as a machine whose time was over',
      pod({ program: 'hold', phase: 'Failed', workerEnded: ended(124) }),
      { reason: 'The time of the machine was over', exitCode: 124 },
    ],
    [
      'as a machine that was told to',
      pod({ program: 'hold', workerEnded: ended(143) }),
      { reason: 'The machine has ended' },
    ],
    [
      'as a machine in its own way',
      pod({ program: 'hold', workerEnded: ended(91) }),
      { reason: 'The machine ended with exit code 91' },
    ],
    [
      'with words',
      pod({ workerEnded: ended(7, 'Error', 'a\n\u001b[31mno such agent\n') }),
      { exitCode: 7, reason: expect.stringContaining('no such agent') },
    ],
    [
      'without git',
      pod({ workerEnded: ended(91, 'Error', 'hangar: the image has no git') }),
      { code: 'image_unsuitable' },
    ],
    [
      'out of memory',
      pod({ workerEnded: ended(137, 'OOMKilled'), memoryLimit: '268435456' }),
      { outOfMemory: true, reason: 'Out of memory at 256 MiB' },
    ],
    [
      'well after a child was out of memory',
      pod({ workerEnded: ended(0, 'OOMKilled') }),
      { exitCode: 0, outOfMemory: false },
    ],
    [
      'evicted',
      pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' }),
      { code: 'worker_evicted', reason: expect.stringContaining('low on resource') },
    ],
    [
      'drained',
      pod({ workerEnded: ended(143), disruption: { reason: 'EvictionByEvictionAPI', message: '' } }),
      { code: 'worker_evicted' },
    ],
    [
      'drained, having saved its diff',
      pod({ workerEnded: ended(0), disruption: { reason: 'EvictionByEvictionAPI', message: '' } }),
      { exitCode: 0, code: 'worker_evicted' },
    ],
    [
      'with its node',
      pod({ phase: 'Failed', disruption: { reason: 'DeletionByTaintManager', message: '' } }),
      { code: 'node_lost' },
    ],
    [
      'with its node, still listed',
      pod({ isTerminating: true, workerRuns: true, disruption: { reason: 'DeletionByTaintManager', message: '' } }),
      { code: 'node_lost' },
    ],
    [
      'when its node came back',
      pod({ phase: 'Failed', workerEnded: ended(137, 'ContainerStatusUnknown') }),
      { code: 'node_lost' },
    ],
    ['at its deadline', pod({ phase: 'Failed', reason: 'DeadlineExceeded' }), { code: 'job_timeout' }],
    [
      'refused by the kubelet',
      pod({ phase: 'Failed', reason: 'OutOfcpu', message: 'Node did not have enough resource: cpu' }),
      { code: 'launch_failed' },
    ],
    [
      'without a shell',
      pod({ workerEnded: ended(128, 'StartError', 'exec: "/bin/sh": stat /bin/sh: no such file or directory') }),
      { code: 'image_unsuitable' },
    ],
    [
      'before it had Node',
      pod({ installEnded: ended(94, 'Error', 'hangar: the worker image has no node') }),
      { code: 'launch_failed' },
    ],
  ])('%s', (_what, seen, expected) => {
    expect(unitState(seen, early)).toMatchObject({ kind: 'exited', ...expected });
  });
});

test('a worker that runs, also while its node wants to be rid of it', () => {
  expect(unitState(pod({ workerRuns: true }), late)).toEqual({ kind: 'running' });
  const drained = { reason: 'EvictionByEvictionAPI', message: '' };
  expect(unitState(pod({ workerRuns: true, isTerminating: true, disruption: drained }), late)).toEqual({
    kind: 'running',
  });
});

test.each([
  ['268435456', '256 MiB'],
  ['256Mi', '256 MiB'],
  ['2Gi', '2 GiB'],
  ['1500M', '1.4 GiB'],
  ['', 'the memory of its node'],
])('memory %j in words: %s', (quantity, words) => {
  expect(memoryInWords(quantity)).toBe(words);
});
