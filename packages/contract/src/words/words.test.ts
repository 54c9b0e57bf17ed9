import { describe, expect, it } from 'vitest';
import { ActivityStatus, StepStatus } from '../activity.ts';
import { JobState } from '../jobs.ts';
import { ClusterState, NodeState, PodContainer, PodState } from '../kubernetes.ts';
import { ExecutionState, SandboxState, Session } from '../sandboxes.ts';
import { ACTIVITY_WORDS, STEP_WORDS } from './activity.ts';
import { groupWords, verdictWords } from './group.ts';
import { JOB_WORDS } from './job.ts';
import { etaWords } from './job-ending.ts';
import {
  CLUSTER_WORDS,
  CONTAINER_WORDS,
  containerWords,
  cores,
  NODE_WORDS,
  nodeWords,
  POD_WORDS,
  podWords,
} from './kubernetes.ts';
import { formatCount, plural } from './number.ts';
import { costWords, limitWords, tokenWords, usageWords } from './resources.ts';
import { EXECUTION_WORDS, executionWords, SANDBOX_WORDS, SESSION_WORDS, sandboxWords } from './sandbox.ts';
import { formatBytes } from './size.ts';
import { formatDuration, relativeTime, timesUsual, usualWords } from './time.ts';
import { type StateWords, sentence, TONES } from './tone.ts';

const NOW = new Date('2026-05-04T11:00:00.000Z').getTime();
const inSeconds = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

describe('a state', () => {
  const nouns: [string, readonly string[], Readonly<Record<string, StateWords>>][] = [
    ['job', JobState.options, JOB_WORDS],
    ['activity', ActivityStatus.options, ACTIVITY_WORDS],
    ['step', StepStatus.options, STEP_WORDS],
    ['cluster', ClusterState.options, CLUSTER_WORDS],
    ['node', NodeState.options, NODE_WORDS],
    ['pod', PodState.options, POD_WORDS],
    ['container', PodContainer.shape.state.options, CONTAINER_WORDS],
    ['sandbox', SandboxState.options, SANDBOX_WORDS],
    ['session', Session.shape.state.options, SESSION_WORDS],
    ['execution', ExecutionState.options, EXECUTION_WORDS],
  ];

  it.each(nouns)('of every %s has a word as within a sentence, a tone and a mark', (_noun, states, words) => {
    expect(Object.keys(words).sort()).toEqual([...states].sort());
    for (const state of states) {
      expect(words[state]?.word).toMatch(/^[a-z][a-z ]+$/);
      expect([...(TONES[words[state]?.tone ?? 'idle'].mark ?? '')]).toHaveLength(1);
    }
  });

  it('is told apart by its mark alone, without colour', () => {
    const marks = Object.values(TONES).map(({ mark }) => mark);
    expect(new Set(marks).size).toBe(marks.length);
  });

  it('waits in the same word on both faces', () => {
    expect(JOB_WORDS.queued).toMatchObject({ tone: 'waiting', word: 'waiting' });
    expect(sentence(JOB_WORDS.timed_out.word)).toBe('Timed out');
  });

  it('of a sandbox or an execution that is to end says so until it has', () => {
    const asked = '2026-05-04T11:00:00.000Z';
    expect(sandboxWords({ state: 'running', closeRequestedAt: asked })).toEqual(SANDBOX_WORDS.closing);
    expect(sandboxWords({ state: 'closed', closeRequestedAt: asked })).toEqual(SANDBOX_WORDS.closed);
    expect(executionWords({ state: 'running', cancelRequestedAt: asked }).word).toBe('cancelling');
    expect(executionWords({ state: 'failed', cancelRequestedAt: asked })).toEqual(EXECUTION_WORDS.failed);
  });

  it('of the cluster says what is not well although it runs', () => {
    expect(nodeWords({ state: 'ready', reason: 'disk is low' })).toEqual({ tone: 'needs', word: 'under pressure' });
    expect(nodeWords({ state: 'unknown', reason: 'x' })).toEqual(NODE_WORDS.unknown);
    const pod = { state: 'running', status: 'Running', ready: 1, containers: 2 } as const;
    expect(podWords(pod)).toEqual({ tone: 'working', word: 'Running, not ready' });
    expect(podWords({ ...pod, ready: 2 })).toEqual({ tone: 'good', word: 'Running' });
    expect(podWords({ ...pod, state: 'failing', status: 'CrashLoopBackOff' })).toMatchObject({ tone: 'bad' });
    const run = { state: 'waiting', reason: null, exitCode: null, ready: false, kind: 'container' } as const;
    expect(containerWords({ ...run, reason: 'ContainerCreating' }).tone).toBe('waiting');
    expect(containerWords({ ...run, reason: 'ErrImagePull' }).tone).toBe('bad');
    expect(containerWords({ ...run, state: 'terminated', exitCode: 0 })).toEqual({ tone: 'ended', word: 'completed' });
    expect(containerWords({ ...run, state: 'terminated', exitCode: 2 })).toEqual({ tone: 'bad', word: 'ended' });
    expect(containerWords({ ...run, state: 'running' }).word).toBe('running, not ready');
    expect(containerWords({ ...run, state: 'not_begun' }).word).toBe('not begun');
  });
});

describe('numbers and times', () => {
  it.each([
    [0, '0 s'],
    [480, '480 ms'],
    [2300, '2.3 s'],
    [2.3 * 1000, '2.3 s'],
    [3000, '3 s'],
    [59_999, '59 s'],
    [184_000, '3 min 4 s'],
    [2 * 3_600_000 + 600_000, '2 h 10 min'],
    [86_400_000, '1 d'],
    [99 * 3_600_000, '4 d 3 h'],
    [-5, '0 s'],
  ])('%s ms are %s', (ms, words) => {
    expect(formatDuration(ms)).toBe(words);
  });

  it.each([
    [-2, 'just now'],
    [-12, '12 s ago'],
    [-200, '3 min ago'],
    [2 * 3600, 'in 2 h'],
    [7 * 86_400 - 1, 'in 7 d'],
    [-7 * 86_400 + 1, '6 d ago'],
    [-5 * 86_400, '5 d ago'],
    [-40 * 86_400, '25 Mar 2026'],
    [40 * 86_400, '13 Jun 2026'],
  ])('a time %s s away is %s', (seconds, words) => {
    expect(relativeTime(inSeconds(seconds), NOW)).toBe(words);
  });

  it('a time that is none says nothing', () => {
    expect(relativeTime('nonsense', NOW)).toBe('');
  });

  it('an estimate is told as a range', () => {
    const words = (from: number, to: number) =>
      etaWords({ earliestAt: inSeconds(from), latestAt: inSeconds(to), basis: 12 }, NOW);
    expect(words(180, 300)).toBe('3 to 5 min left, from 12 earlier jobs');
    expect(words(40, 300)).toBe('40 s to 5 min left, from 12 earlier jobs');
    expect(words(181, 182)).toBe('about 3 min left, from 12 earlier jobs');
    expect(words(-5, 60)).toBe('ends within 60 s, from 12 earlier jobs');
    expect(words(0, 1)).toBe('longer than usual, from 12 earlier jobs');
    expect(words(-60, -5)).toBe('longer than usual, from 12 earlier jobs');
    expect(etaWords(null, NOW)).toBeNull();
  });

  it('much more than the usual is said, what nobody feels is not', () => {
    expect(timesUsual(13_600, 4000)).toBeCloseTo(3.4);
    expect(timesUsual(11_000, 4000)).toBeNull();
    expect(timesUsual(900, 10)).toBeNull();
    expect(timesUsual(null, 10)).toBeNull();
    expect(usualWords(null, 4000)).toBe('usually 4 s');
    expect(usualWords(3.4, 4000)).toBe('3.4 times the usual 4 s');
    expect(usualWords(12, 4000)).toBe('over 10 times the usual 4 s');
  });

  it.each([
    [0, '0'],
    [0.001, '<0.01'],
    [0.25, '0.25'],
    [8, '8'],
    [12.04, '12'],
    [12.35, '12.3'],
    [2211.4, '2,211'],
  ])('%s cores are %s', (value, text) => {
    expect(cores(value)).toBe(text);
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1200, '1.2 kB'],
    [2_000_000, '2 MB'],
    [12_340_000, '12.3 MB'],
    [999_960, '1 MB'],
    [3e15, '3000 TB'],
  ])('%s bytes of a file are %s', (bytes, words) => {
    expect(formatBytes(bytes)).toBe(words);
  });

  it('counts with its commas', () => {
    expect([0, 999, 1000, 1234567, 0.5, 1234.5678].map(formatCount)).toEqual([
      ...['0', '999', '1,000', '1,234,567', '0.5', '1,234.5678'],
    ]);
    expect([plural(1, 'job'), plural(0, 'job'), plural(2, 'process', 'processes')]).toEqual([
      ...['1 job', '0 jobs', '2 processes'],
    ]);
  });
});

describe('usage, limits and groups', () => {
  const usage = {
    inputTokens: 48_210,
    cachedInputTokens: 12_000,
    outputTokens: 911,
    costUsd: 0.2149,
    model: 'm',
    turns: 1,
  };

  it('says what an agent has used', () => {
    expect(usageWords(usage)).toBe('48,210 tokens in (12,000 cached), 911 out, $0.2149, 1 turn, m');
    expect(usageWords({ ...usage, cachedInputTokens: null, costUsd: null, turns: null, model: null })).toBe(
      '48,210 tokens in, 911 out',
    );
    expect(tokenWords(usage)).toBe('48.2 k / 911');
    expect(tokenWords(null)).toBeNull();
  });

  it('shows cost as it is', () => {
    const cost = (costUsd: number | null) => costWords({ ...usage, costUsd });
    expect([cost(null), cost(0), cost(0.0031), cost(0.2149), cost(12), costWords(null)]).toEqual([
      ...[null, '$0.00', '$0.0031', '$0.21', '$12.00', null],
    ]);
  });

  it('says limits, and that there are none', () => {
    expect(limitWords({ cpus: 2, memoryBytes: 2 ** 32, pids: 512, jobsAtOnce: 1 })).toBe(
      '2 CPUs, 4 GiB memory, 512 processes, 1 job at once',
    );
    expect(limitWords({})).toBeNull();
  });

  it('says how a group stands and whether it agrees', () => {
    const states = (['succeeded', 'failed', 'running'] as const).map((state) => ({ state }));
    expect(groupWords(states)).toBe('2 of 3 jobs ended: 1 succeeded, 1 did not');
    expect(groupWords(states.slice(0, 1))).toBe('1 of 1 job ended: 1 succeeded');
    expect(verdictWords('same', [1, 2], 1)).toBe('same');
    expect(verdictWords('alone', [2], 1)).toBe('only 2');
    expect(verdictWords('differs', [1, 3], 1)).toBe('same in 1, 3');
    expect(verdictWords('differs', [1, 3], 2)).toBe('differs');
  });
});
