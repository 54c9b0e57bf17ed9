import { FINAL_STATES, isFinal } from '@hangar/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, type JobFacts, PATIENCE } from './job-lifecycle.ts';
import type { Finished } from './jobs-tables.ts';

const T = 1_800_000_000_000;

const fresh: JobFacts = {
  state: 'queued',
  reason: 'Waiting for a free place',
  cancelRequestedAt: null,
  admittedAt: null,
  launchTries: 0,
  launchedAt: null,
  launchFault: null,
  unit: null,
  claimedAt: null,
  heardAt: null,
  reportedPhase: null,
  reportedReason: null,
  agentStartedAt: null,
  finished: null,
  killedAt: null,
  killedFor: null,
  cleaned: false,
  timeoutSeconds: 3600,
  memoryBytes: null,
};
const admitted: JobFacts = { ...fresh, admittedAt: T };
const launched: JobFacts = { ...admitted, state: 'starting', launchTries: 1, launchedAt: T };
const claimed: JobFacts = { ...launched, state: 'cloning', claimedAt: T, heardAt: T };
const running: JobFacts = { ...claimed, state: 'running', reportedPhase: 'running', agentStartedAt: T };
const unit = (kind: 'missing' | 'starting' | 'running' | 'exited' | 'unknown', at: number, more = {}) => ({
  kind,
  at,
  exitCode: null,
  outOfMemory: false,
  reason: 'exit code 1',
  ...more,
});
/** Nobody has reached its driver since then. */
const away = (since: number, at = since) =>
  unit('unknown', at, { since: new Date(since).toISOString(), reason: 'Docker does not answer' });
const finished = (outcome: Finished['outcome']): Finished => ({
  outcome,
  exitCode: 0,
  signal: null,
  failure: null,
  reason: 'Done',
  at: new Date(T).toISOString(),
});

describe('decide', () => {
  const table: [string, JobFacts, number, { state: string; action: string; code?: string; message?: string }][] = [
    ['waits until it is admitted', fresh, T, { state: 'queued', action: 'none' }],
    [
      'a cancelled job that waits ends at once',
      { ...fresh, cancelRequestedAt: T },
      T,
      { state: 'cancelled', action: 'none' },
    ],
    ['an admitted job is launched', admitted, T, { state: 'starting', action: 'launch' }],
    ['a launched unit is watched until its worker speaks', launched, T + 100, { state: 'starting', action: 'inspect' }],
    [
      'a fault worth a retry waits first',
      {
        ...admitted,
        launchTries: 1,
        launchFault: { failure: { code: 'driver_unavailable', message: 'No answer.', wayOut: '' }, retry: true, at: T },
      },
      T + 500,
      { state: 'starting', action: 'none' },
    ],
    [
      'and is tried again then',
      {
        ...admitted,
        launchTries: 1,
        launchFault: { failure: { code: 'driver_unavailable', message: 'No answer.', wayOut: '' }, retry: true, at: T },
      },
      T + 2_001,
      { state: 'starting', action: 'launch' },
    ],
    [
      'a driver out of reach is waited for, however often it was tried',
      {
        ...admitted,
        launchTries: 40,
        launchFault: {
          failure: { code: 'driver_unavailable', message: 'No answer.', wayOut: '' },
          retry: true,
          at: T + 400_000,
        },
      },
      T + 410_001,
      { state: 'starting', action: 'launch' },
    ],
    [
      'but not for ever either',
      {
        ...admitted,
        launchTries: 90,
        launchFault: {
          failure: { code: 'driver_unavailable', message: 'No answer.', wayOut: '' },
          retry: true,
          at: T + PATIENCE.outageMs,
        },
      },
      T + PATIENCE.outageMs + 1,
      { state: 'failed', action: 'clean' },
    ],
    [
      'a fault that stays ends the job',
      {
        ...admitted,
        launchTries: 1,
        launchFault: { failure: { code: 'image_not_found', message: 'No image.', wayOut: '' }, retry: false, at: T },
      },
      T,
      { state: 'failed', action: 'clean' },
    ],
    [
      'a unit gone before its worker spoke is launched again',
      { ...launched, unit: unit('missing', T + 1) },
      T + 2,
      { state: 'starting', action: 'launch' },
    ],
    [
      'a unit that ended before its worker spoke fails the job',
      { ...launched, unit: unit('exited', T + 1) },
      T + 2,
      { state: 'failed', action: 'clean' },
    ],
    [
      'what was seen before the launch does not count',
      { ...launched, unit: unit('missing', T - 1) },
      T + 2,
      { state: 'starting', action: 'inspect' },
    ],
    [
      'a worker that never speaks is ended',
      { ...launched, unit: unit('running', T + 1) },
      T + PATIENCE.claimMs + 1,
      { state: 'starting', action: 'kill' },
    ],
    ['a job that was taken is cloning', claimed, T + 1, { state: 'cloning', action: 'none' }],
    ['and runs when the worker says so', running, T + 1, { state: 'running', action: 'none' }],
    ['silence makes us ask', running, T + PATIENCE.silenceMs + 1, { state: 'running', action: 'inspect' }],
    [
      'a silent worker that is still there is waited for',
      { ...running, unit: unit('running', T + 60_000) },
      T + 61_000,
      { state: 'running', action: 'inspect' },
    ],
    [
      'but not for ever',
      { ...running, unit: unit('running', T + PATIENCE.giveUpMs) },
      T + PATIENCE.giveUpMs + 1,
      { state: 'running', action: 'kill' },
    ],
    [
      'a worker proven gone is lost',
      { ...running, unit: unit('exited', T + 40_000) },
      T + 40_001,
      { state: 'lost', action: 'clean' },
    ],
    [
      'unless what was seen is older than its last word',
      { ...running, heardAt: T + 50_000, unit: unit('exited', T + 40_000) },
      T + 50_001,
      { state: 'running', action: 'none' },
    ],
    [
      'out of memory is said',
      { ...running, unit: unit('exited', T + 40_000, { outOfMemory: true, exitCode: 137 }) },
      T + 40_001,
      { state: 'failed', action: 'clean' },
    ],
    [
      'a cancelled worker gets time to save its diff',
      { ...running, cancelRequestedAt: T },
      T + 100,
      { state: 'running', action: 'inspect' },
    ],
    [
      'then force',
      { ...running, cancelRequestedAt: T },
      T + PATIENCE.cancelMs + 1,
      { state: 'running', action: 'kill' },
    ],
    [
      'which ends it',
      { ...running, cancelRequestedAt: T, killedAt: T, killedFor: 'cancel' },
      T,
      { state: 'cancelled', action: 'clean' },
    ],
    [
      'the worker keeps the timeout; we keep the worker',
      running,
      T + 3600_000 + PATIENCE.overtimeMs + 1,
      { state: 'running', action: 'kill' },
    ],
    [
      'its last word ends the job',
      { ...running, finished: finished('succeeded') },
      T,
      { state: 'succeeded', action: 'clean' },
    ],
    [
      'also after a cancel came too late',
      { ...running, cancelRequestedAt: T, finished: finished('succeeded') },
      T,
      { state: 'succeeded', action: 'clean' },
    ],
    [
      'of a worker stopped by its machine the launcher is asked why',
      { ...running, finished: finished('cancelled') },
      T,
      { state: 'running', action: 'inspect' },
    ],
    [
      'and it is a loss, with the cause that the launcher knows',
      { ...running, finished: finished('cancelled'), unit: unit('exited', T + 1, { code: 'worker_evicted' }) },
      T + 2,
      { state: 'lost', action: 'clean', code: 'worker_evicted' },
    ],
    [
      'or with none, when it does not come to know it',
      { ...running, finished: finished('cancelled'), unit: unit('exited', T + 1) },
      T + 5_001,
      { state: 'lost', action: 'clean', code: 'worker_lost' },
    ],
    [
      'also when the launcher does not answer',
      { ...running, finished: finished('cancelled') },
      T + 15_001,
      { state: 'lost', action: 'clean', code: 'worker_lost' },
    ],
    [
      'a unit that the backend never let run ends with its reason alone',
      { ...launched, unit: unit('exited', T + 1, { code: 'unschedulable', reason: 'No node can take it' }) },
      T + 2,
      { state: 'failed', action: 'clean', code: 'unschedulable', message: 'No node can take it.' },
    ],
    [
      'a unit that its backend ended at its own deadline has timed out',
      { ...running, unit: unit('exited', T + 40_000, { code: 'job_timeout' }) },
      T + 40_001,
      { state: 'timed_out', action: 'clean', code: 'job_timeout' },
    ],
    [
      'a unit that its backend took away is lost, with the cause',
      { ...running, unit: unit('exited', T + 40_000, { code: 'node_lost' }) },
      T + 40_001,
      { state: 'lost', action: 'clean', code: 'node_lost' },
    ],
    [
      'a silent worker whose driver is away is waited for, however long it is silent',
      { ...running, unit: away(T + 1_000_000) },
      T + 1_000_000 + PATIENCE.outageMs,
      { state: 'running', action: 'inspect' },
    ],
    [
      'a silent worker whose driver stays away is lost in the end',
      { ...running, unit: away(T + 40_000, T + PATIENCE.outageMs + 40_000) },
      T + PATIENCE.outageMs + 40_001,
      {
        state: 'lost',
        action: 'clean',
        code: 'worker_lost',
        message: expect.stringContaining('Docker does not answer.'),
      },
    ],
    [
      'a worker that speaks goes on though its driver stays away',
      { ...running, heardAt: T + PATIENCE.outageMs, unit: away(T, T + 40_000) },
      T + PATIENCE.outageMs + 40_000,
      { state: 'running', action: 'inspect' },
    ],
    [
      'a cancelled job whose worker is silent and whose driver stays away is cancelled in the end',
      { ...running, cancelRequestedAt: T + 50_000, unit: away(T + 40_000) },
      T + PATIENCE.outageMs + 40_001,
      { state: 'cancelled', action: 'clean' },
    ],
    [
      'one that is to be killed for its timeout, too',
      { ...running, timeoutSeconds: 60, unit: away(T + 40_000) },
      T + PATIENCE.outageMs + 40_001,
      { state: 'lost', action: 'clean', code: 'worker_lost' },
    ],
    [
      'a cancelled job that has not begun does not wait for a driver that is away',
      { ...launched, cancelRequestedAt: T + 1, unit: away(T + 1) },
      T + 2,
      { state: 'cancelled', action: 'clean' },
    ],
    [
      'a worker that never spoke and whose driver stays away has failed',
      { ...launched, unit: away(T + 1_000) },
      T + PATIENCE.outageMs + 1_001,
      { state: 'failed', action: 'clean', code: 'driver_unavailable' },
    ],
    [
      'an ended job that is cleaned rests',
      { ...running, state: 'succeeded', cleaned: true },
      T,
      { state: 'succeeded', action: 'none' },
    ],
  ];
  it.each(table)('%s', (_name, facts, now, expected) => {
    const decision = decide(facts, now);
    const { code, message } = decision.failure ?? {};
    expect({ state: decision.state, action: decision.action.kind, code, message }).toMatchObject(expected);
    expect(decision.reason).not.toBe('');
    if (decision.state === 'failed' || decision.state === 'lost') expect(decision.failure?.wayOut).toBeTypeOf('string');
  });
});

/** One thing that can happen to a job; times are given by the walk. */
type Happening =
  | 'admit'
  | 'cancel'
  | 'launchOk'
  | 'launchFault'
  | 'claim'
  | 'heard'
  | 'run'
  | 'collect'
  | 'exited'
  | 'missing'
  | 'alive'
  | 'away'
  | 'kill'
  | 'finishOk'
  | 'finishCancelled'
  | 'clean'
  | 'nothing';
const happenings: Happening[] = [
  'admit',
  'cancel',
  'launchOk',
  'launchFault',
  'claim',
  'heard',
  'run',
  'collect',
  'exited',
  'missing',
  'alive',
  'away',
  'kill',
  'finishOk',
  'finishCancelled',
  'clean',
  'nothing',
];

/** What the server writes when something happens, with the guards its writers keep. */
function happen(facts: JobFacts, what: Happening, now: number): JobFacts {
  const open = !isFinal(facts.state);
  const lives = open && facts.claimedAt !== null && !facts.finished;
  switch (what) {
    case 'admit':
      return facts.admittedAt === null && facts.cancelRequestedAt === null && open
        ? { ...facts, admittedAt: now }
        : facts;
    case 'cancel':
      return open ? { ...facts, cancelRequestedAt: facts.cancelRequestedAt ?? now } : facts;
    case 'launchOk':
      return decide(facts, now).action.kind === 'launch'
        ? { ...facts, launchedAt: now, launchFault: null, launchTries: facts.launchTries + 1 }
        : facts;
    case 'launchFault':
      return decide(facts, now).action.kind === 'launch'
        ? {
            ...facts,
            launchTries: facts.launchTries + 1,
            launchFault: { failure: { code: 'driver_unavailable', message: 'x', wayOut: 'y' }, retry: true, at: now },
          }
        : facts;
    case 'claim':
      return open && facts.launchedAt !== null && facts.cancelRequestedAt === null
        ? { ...facts, claimedAt: facts.claimedAt ?? now, heardAt: now }
        : facts;
    case 'heard':
      return lives ? { ...facts, heardAt: now } : facts;
    case 'run':
      return lives
        ? { ...facts, reportedPhase: 'running', agentStartedAt: facts.agentStartedAt ?? now, heardAt: now }
        : facts;
    case 'collect':
      return lives ? { ...facts, reportedPhase: 'collecting', heardAt: now } : facts;
    case 'exited':
    case 'missing':
    case 'alive':
      return { ...facts, unit: unit(what === 'alive' ? 'running' : what, now) };
    case 'away':
      return { ...facts, unit: away(facts.unit?.since === undefined ? now : Date.parse(facts.unit.since), now) };
    case 'kill': {
      const { action } = decide(facts, now);
      return action.kind === 'kill' ? { ...facts, killedAt: now, killedFor: action.why } : facts;
    }
    case 'finishOk':
      return lives ? { ...facts, finished: finished('succeeded') } : facts;
    case 'finishCancelled':
      return lives ? { ...facts, finished: finished('cancelled') } : facts;
    case 'clean':
      return isFinal(facts.state) ? { ...facts, cleaned: true } : facts;
    case 'nothing':
      return facts;
  }
}

describe('any sequence of happenings', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom(...happenings), fc.integer({ min: 0, max: 1_200_000 })), {
    maxLength: 60,
  });

  function walk(path: [Happening, number][], each: (before: JobFacts, after: JobFacts, now: number) => void): JobFacts {
    let facts = fresh;
    let now = T;
    for (const [what, passes] of path) {
      now += passes;
      const seen = happen(facts, what, now);
      const decision = decide(seen, now);
      const after = { ...seen, state: decision.state, reason: decision.reason };
      each(facts, after, now);
      facts = after;
    }
    return facts;
  }

  it('never leaves an end, and never launches what a worker took', () => {
    fc.assert(
      fc.property(steps, (path) => {
        walk(path, (before, after, now) => {
          if (isFinal(before.state)) expect(after.state).toBe(before.state);
          if (after.claimedAt !== null) expect(decide(after, now).action.kind).not.toBe('launch');
          if (isFinal(after.state)) expect(['none', 'clean']).toContain(decide(after, now).action.kind);
        });
      }),
      { numRuns: 500 },
    );
  });

  it('never says lost or cancelled without proof', () => {
    fc.assert(
      fc.property(steps, (path) => {
        walk(path, (before, after) => {
          if (isFinal(before.state) || !isFinal(after.state)) return;
          if (after.state === 'cancelled') expect(after.cancelRequestedAt).not.toBeNull();
          if (after.state === 'succeeded') expect(after.finished?.outcome).toBe('succeeded');
          if (after.state === 'lost') {
            const proven =
              after.unit?.kind === 'exited' ||
              after.unit?.kind === 'missing' ||
              after.unit?.kind === 'unknown' ||
              after.killedFor !== null ||
              after.finished?.outcome === 'cancelled';
            expect(proven).toBe(true);
          }
        });
      }),
      { numRuns: 500 },
    );
  });

  it('always comes to an end when time goes on and the backend answers', () => {
    fc.assert(
      fc.property(steps, (path) => {
        let facts = walk(path, () => undefined);
        let now = T + 100_000_000;
        if (facts.admittedAt === null) return;
        for (let turn = 0; turn < 40 && !(isFinal(facts.state) && facts.cleaned); turn++) {
          now += 200_000;
          const { action } = decide(facts, now);
          if (action.kind === 'launch') facts = happen(facts, 'launchOk', now);
          if (action.kind === 'inspect') facts = happen(facts, 'missing', now);
          if (action.kind === 'kill') facts = { ...facts, killedAt: now, killedFor: action.why };
          if (action.kind === 'clean') facts = { ...facts, cleaned: true };
          const decision = decide(facts, now);
          facts = { ...facts, state: decision.state, reason: decision.reason };
        }
        expect(FINAL_STATES as readonly string[]).toContain(facts.state);
        expect(facts.cleaned).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
