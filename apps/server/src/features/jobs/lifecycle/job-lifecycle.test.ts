import { FINAL_STATES, isFinal } from '@hangar/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Finished } from '../store/jobs-tables.ts';
import { mayComeBack } from './job-endings.ts';
import { type JobFacts, PATIENCE } from './job-facts.ts';
import { decide, sinceWhen } from './job-lifecycle.ts';

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
  collectStartedAt: null,
  finished: null,
  killedAt: null,
  killedFor: null,
  endedAt: null,
  told: false,
  cleaned: false,
  timeoutSeconds: 3600,
  memoryBytes: null,
};
const admitted: JobFacts = { ...fresh, admittedAt: T };
const launched: JobFacts = { ...admitted, state: 'starting', launchTries: 1, launchedAt: T };
const claimed: JobFacts = { ...launched, state: 'cloning', claimedAt: T, heardAt: T };
const heard = (facts: JobFacts, at: number): JobFacts => ({ ...facts, heardAt: at });
const running: JobFacts = { ...claimed, state: 'running', reportedPhase: 'running', agentStartedAt: T };
const unit = (kind: 'missing' | 'starting' | 'running' | 'paused' | 'exited' | 'unknown', at: number, more = {}) => ({
  kind,
  at,
  exitCode: null,
  outOfMemory: false,
  reason: 'exit code 1',
  ...more,
});
const collecting: JobFacts = { ...running, state: 'collecting', reportedPhase: 'collecting', collectStartedAt: T };
const lost: JobFacts = { ...running, state: 'lost', reason: 'No word', endedAt: T + 2_000_000, told: true };
const DAY = 24 * 3600_000;
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
      { state: 'cancelled', action: 'tell' },
    ],
    [
      'its followers told, nothing is left of it to remove',
      { ...fresh, state: 'cancelled', cancelRequestedAt: T, told: true, cleaned: true },
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
      { state: 'failed', action: 'tell' },
    ],
    [
      'a fault that stays ends the job',
      {
        ...admitted,
        launchTries: 1,
        launchFault: { failure: { code: 'image_not_found', message: 'No image.', wayOut: '' }, retry: false, at: T },
      },
      T,
      { state: 'failed', action: 'tell' },
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
      { state: 'failed', action: 'tell' },
    ],
    [
      'what was seen before the launch does not count',
      { ...launched, unit: unit('missing', T - 1) },
      T + 2,
      { state: 'starting', action: 'inspect' },
    ],
    [
      'a worker that never speaks is ended',
      { ...launched, unit: unit('running', T + PATIENCE.claimMs, { since: new Date(T).toISOString() }) },
      T + PATIENCE.claimMs + 1,
      { state: 'starting', action: 'kill' },
    ],
    [
      'not so before it was looked at again: this server may have been away',
      { ...launched, unit: unit('running', T + 1) },
      T + PATIENCE.claimMs + 100_000,
      { state: 'starting', action: 'inspect' },
    ],
    ['a job that was taken is cloning', claimed, T + 1, { state: 'cloning', action: 'none' }],
    ['and runs when the worker says so', running, T + 1, { state: 'running', action: 'none' }],
    [
      'a unit that is told to have ended is not waited for',
      { ...running, unit: unit('exited', T + 5, { code: 'sandbox_closed', reason: 'Its sandbox was closed' }) },
      T + 6,
      { state: 'lost', action: 'tell', code: 'sandbox_closed' },
    ],
    [
      'what the worker said after that counts more',
      { ...heard(running, T + 9), unit: unit('exited', T + 5) },
      T + 10,
      { state: 'running', action: 'none' },
    ],
    ['silence makes us ask', running, T + PATIENCE.silenceMs + 1, { state: 'running', action: 'inspect' }],
    [
      'a silent worker that is still there is waited for',
      { ...running, unit: unit('running', T + 60_000) },
      T + 61_000,
      { state: 'running', action: 'inspect' },
    ],
    [
      'but not for ever',
      { ...running, unit: unit('running', T + PATIENCE.giveUpMs, { since: new Date(T).toISOString() }) },
      T + PATIENCE.giveUpMs + 1,
      { state: 'running', action: 'kill' },
    ],
    [
      'a server that was away asks first, and begins to wait then',
      { ...running, unit: unit('running', T + 40_000, { since: new Date(T + 40_000).toISOString() }) },
      T + DAY,
      { state: 'running', action: 'inspect' },
    ],
    [
      'and waits for as long as it would have',
      { ...running, unit: unit('running', T + DAY, { since: new Date(T + DAY - 60_000).toISOString() }) },
      T + DAY + 1,
      { state: 'running', action: 'inspect' },
    ],
    [
      'a worker proven gone is lost',
      { ...running, unit: unit('exited', T + 40_000) },
      T + 40_001,
      { state: 'lost', action: 'tell' },
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
      { state: 'failed', action: 'tell' },
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
      { state: 'cancelled', action: 'tell' },
    ],
    [
      'the worker keeps the timeout; we keep the worker',
      heard(running, T + 3600_000 + PATIENCE.overtimeMs + 1),
      T + 3600_000 + PATIENCE.overtimeMs + 1,
      { state: 'running', action: 'kill' },
    ],
    [
      'of one that is silent since before nobody knows: its result may wait for this server',
      { ...heard(running, T + 3600_000), unit: unit('running', T + 40_000) },
      T + 3600_000 + DAY,
      { state: 'running', action: 'inspect' },
    ],
    [
      'overtime is the agent’s: one that makes and hands over the diff is not ended by it',
      heard(collecting, T + 3600_000 + PATIENCE.overtimeMs + 1_000),
      T + 3600_000 + PATIENCE.overtimeMs + 1_000,
      { state: 'collecting', action: 'none' },
    ],
    ['not for a day', heard(collecting, T + DAY), T + DAY, { state: 'collecting', action: 'none' }],
    [
      'but not for ever either',
      heard(collecting, T + PATIENCE.collectingMs + PATIENCE.overtimeMs + 1),
      T + PATIENCE.collectingMs + PATIENCE.overtimeMs + 1,
      { state: 'collecting', action: 'kill' },
    ],
    [
      'which fails the job',
      { ...collecting, killedAt: T, killedFor: 'collecting' },
      T,
      { state: 'failed', action: 'tell', code: 'collect_failed' },
    ],
    [
      'a repository may take its time',
      heard(claimed, T + PATIENCE.cloningMs),
      T + PATIENCE.cloningMs,
      { state: 'cloning', action: 'none' },
    ],
    [
      'and not for ever, though its worker speaks',
      heard(claimed, T + PATIENCE.cloningMs + PATIENCE.overtimeMs + 1),
      T + PATIENCE.cloningMs + PATIENCE.overtimeMs + 1,
      { state: 'cloning', action: 'kill' },
    ],
    [
      'which fails the job with its own reason',
      { ...claimed, killedAt: T, killedFor: 'cloning' },
      T,
      { state: 'failed', action: 'tell', code: 'cloning_too_long' },
    ],
    [
      'a job that was given up takes the word of its worker after all',
      { ...lost, cleaned: true, finished: finished('succeeded') },
      T + DAY,
      { state: 'succeeded', action: 'none' },
    ],
    [
      'also when it is that the agent failed',
      { ...lost, finished: finished('failed') },
      T + DAY,
      { state: 'failed', action: 'clean' },
    ],
    [
      'not that its machine ended it',
      { ...lost, cleaned: true, finished: finished('cancelled') },
      T + DAY,
      { state: 'lost', action: 'none' },
    ],
    [
      'while it speaks nothing of it is removed',
      heard(lost, T + 2_100_000),
      T + 2_110_000,
      { state: 'lost', action: 'none' },
    ],
    [
      'it is looked for before it is removed',
      { ...lost, unit: away(T, T + 2_000_000) },
      T + 2_100_000,
      { state: 'lost', action: 'inspect' },
    ],
    [
      'and given a moment when it is there',
      { ...lost, unit: unit('running', T + 2_100_000, { since: new Date(T + 2_100_000).toISOString() }) },
      T + 2_100_001,
      { state: 'lost', action: 'inspect' },
    ],
    [
      'then it goes',
      { ...lost, unit: unit('running', T + 2_300_000, { since: new Date(T + 2_100_000).toISOString() }) },
      T + 2_300_000,
      { state: 'lost', action: 'clean' },
    ],
    [
      'at once when it has proved to be over',
      { ...lost, unit: unit('exited', T + 2_100_000) },
      T + 2_100_001,
      { state: 'lost', action: 'clean' },
    ],
    [
      'of a restored server nothing comes back: its workers are another’s',
      { ...lost, killedFor: 'restore', cleaned: true },
      T + 2_100_000,
      { state: 'lost', action: 'none' },
    ],
    [
      'its last word ends the job',
      { ...running, finished: finished('succeeded') },
      T,
      { state: 'succeeded', action: 'tell' },
    ],
    [
      'also after a cancel came too late',
      { ...running, cancelRequestedAt: T, finished: finished('succeeded') },
      T,
      { state: 'succeeded', action: 'tell' },
    ],
    [
      'of a worker stopped by its machine the driver is asked why',
      { ...running, finished: finished('cancelled') },
      T,
      { state: 'running', action: 'inspect' },
    ],
    [
      'and it is a loss, with the cause that the driver knows',
      { ...running, finished: finished('cancelled'), unit: unit('exited', T + 1, { code: 'worker_evicted' }) },
      T + 2,
      { state: 'lost', action: 'tell', code: 'worker_evicted' },
    ],
    [
      'or with none, when it does not come to know it',
      { ...running, finished: finished('cancelled'), unit: unit('exited', T + 1) },
      T + 5_001,
      { state: 'lost', action: 'tell', code: 'worker_lost' },
    ],
    [
      'also when the driver does not answer',
      { ...running, finished: finished('cancelled') },
      T + 15_001,
      { state: 'lost', action: 'tell', code: 'worker_lost' },
    ],
    [
      'a unit that the backend never let run ends with its reason alone',
      { ...launched, unit: unit('exited', T + 1, { code: 'unschedulable', reason: 'No node can take it' }) },
      T + 2,
      { state: 'failed', action: 'tell', code: 'unschedulable', message: 'No node can take it.' },
    ],
    [
      'a unit that its backend ended at its own deadline has timed out',
      { ...running, unit: unit('exited', T + 40_000, { code: 'job_timeout' }) },
      T + 40_001,
      { state: 'timed_out', action: 'tell', code: 'job_timeout' },
    ],
    [
      'a unit that its backend took away is lost, with the cause',
      { ...running, unit: unit('exited', T + 40_000, { code: 'node_lost' }) },
      T + 40_001,
      { state: 'lost', action: 'tell', code: 'node_lost' },
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
        action: 'tell',
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
      { ...running, cancelRequestedAt: T + 50_000, unit: away(T + 40_000, T + PATIENCE.outageMs + 40_000) },
      T + PATIENCE.outageMs + 40_001,
      { state: 'cancelled', action: 'tell' },
    ],
    [
      'one that is to be killed for its timeout, too',
      { ...running, timeoutSeconds: 60, unit: away(T + 40_000, T + PATIENCE.outageMs + 40_000) },
      T + PATIENCE.outageMs + 40_001,
      { state: 'lost', action: 'tell', code: 'worker_lost' },
    ],
    [
      'a cancelled job that has not begun does not wait for a driver that is away',
      { ...launched, cancelRequestedAt: T + 1, unit: away(T + 1) },
      T + 2,
      { state: 'cancelled', action: 'tell' },
    ],
    [
      'a worker that never spoke and whose driver stays away has failed',
      { ...launched, unit: away(T + 1_000, T + PATIENCE.outageMs + 1_000) },
      T + PATIENCE.outageMs + 1_001,
      { state: 'failed', action: 'tell', code: 'driver_unavailable' },
    ],
    [
      'a driver that was not asked for a while is asked again before its silence counts',
      { ...running, unit: away(T + 40_000, T + 60_000) },
      T + DAY,
      { state: 'running', action: 'inspect' },
    ],
    [
      'an ended job tells its followers before anything is removed',
      { ...running, state: 'succeeded', cleaned: false },
      T,
      { state: 'succeeded', action: 'tell' },
    ],
    ['then it is cleaned', { ...running, state: 'succeeded', told: true }, T, { state: 'succeeded', action: 'clean' }],
    [
      'an ended job that is cleaned rests',
      { ...running, state: 'succeeded', told: true, cleaned: true },
      T,
      { state: 'succeeded', action: 'none' },
    ],
  ];
  it.each(table)('%s', (_name, facts, now, expected) => {
    const decision = decide(facts, now);
    const { code, message } = decision.failure ?? {};
    expect({ state: decision.state, action: decision.action.kind, code, message }).toMatchObject(expected);
    expect(decision.reason).not.toBe('');
    if (/^(failed|lost)$/.test(decision.state) && !isFinal(facts.state))
      expect(decision.failure?.wayOut).toBeTypeOf('string');
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
  | 'tell'
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
  'tell',
  'clean',
  'nothing',
];

/** What the server writes when something happens, with the guards its writers keep. */
function happen(facts: JobFacts, what: Happening, now: number): JobFacts {
  const open = !isFinal(facts.state);
  const lives = (open || mayComeBack(facts)) && facts.claimedAt !== null && !facts.finished;
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
      return lives
        ? {
            ...facts,
            reportedPhase: 'collecting',
            collectStartedAt: facts.collectStartedAt ?? now,
            heardAt: now,
          }
        : facts;
    case 'exited':
    case 'missing':
      return { ...facts, unit: unit(what, now, { since: new Date(sinceWhen(facts.unit, what, now)).toISOString() }) };
    case 'alive':
      return {
        ...facts,
        unit: unit('running', now, { since: new Date(sinceWhen(facts.unit, 'running', now)).toISOString() }),
      };
    case 'away':
      return { ...facts, unit: away(sinceWhen(facts.unit, 'unknown', now), now) };
    case 'kill': {
      const { action } = decide(facts, now);
      return action.kind === 'kill' ? { ...facts, killedAt: now, killedFor: action.why } : facts;
    }
    case 'finishOk':
      return lives ? { ...facts, finished: finished('succeeded') } : facts;
    case 'finishCancelled':
      return lives ? { ...facts, finished: finished('cancelled') } : facts;
    case 'tell':
      return isFinal(facts.state) ? { ...facts, told: true } : facts;
    case 'clean':
      return facts.told ? { ...facts, cleaned: true } : facts;
    case 'nothing':
      return facts;
  }
}

function written(
  facts: JobFacts,
  { state, reason }: { state: JobFacts['state']; reason: string },
  now: number,
): JobFacts {
  const endedAt = isFinal(state) && state !== facts.state ? now : facts.endedAt;
  return { ...facts, state, reason, endedAt };
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
      const after = written(seen, decision, now);
      each(facts, after, now);
      facts = after;
    }
    return facts;
  }

  it('never leaves an end but for the word of a worker that was given up, and never launches what a worker took', () => {
    fc.assert(
      fc.property(steps, (path) => {
        walk(path, (before, after, now) => {
          if (isFinal(before.state) && before.state !== 'lost') expect(after.state).toBe(before.state);
          if (before.state === 'lost' && after.state !== 'lost') expect(after.state).toBe(after.finished?.outcome);
          if (after.claimedAt !== null) expect(decide(after, now).action.kind).not.toBe('launch');
          if (isFinal(after.state))
            expect(['none', 'tell', 'clean', 'inspect']).toContain(decide(after, now).action.kind);
        });
      }),
      { numRuns: 500 },
    );
  });

  it('never says lost or cancelled without proof', () => {
    fc.assert(
      fc.property(steps, (path) => {
        walk(path, (before, after, now) => {
          if (isFinal(before.state) || !isFinal(after.state)) return;
          if (after.state === 'cancelled') expect(after.cancelRequestedAt).not.toBeNull();
          if (after.state === 'succeeded') expect(after.finished?.outcome).toBe('succeeded');
          if (after.state === 'lost') {
            const lastWord = Math.max(after.claimedAt ?? 0, after.heardAt ?? 0);
            const isOver = /^(exited|missing)$/.test(after.unit?.kind ?? '') && (after.unit?.at ?? 0) > lastWord;
            // That nobody answers proves nothing by itself: only worker and driver together, for long, looked for up to now.
            const nobodyAnswers =
              after.unit?.kind === 'unknown' &&
              now - after.unit.at < 120_000 &&
              now - Date.parse(after.unit.since ?? '') > PATIENCE.outageMs &&
              now - lastWord > PATIENCE.outageMs;
            const proven =
              isOver || nobodyAnswers || after.killedFor !== null || after.finished?.outcome === 'cancelled';
            expect(proven).toBe(true);
          }
        });
      }),
      { numRuns: 500 },
    );
  });

  type World = 'missing' | 'alive' | 'away';
  /** Time goes on, and the reconciler does what is decided. The worker speaks or is silent. */
  function goOn(begun: JobFacts, o: { speaks: boolean; unit: World; stepMs: number; turns: number }): JobFacts {
    let facts = begun;
    let now = T + 100_000_000;
    for (let turn = 0; turn < o.turns && !(isFinal(facts.state) && facts.cleaned); turn++) {
      now += o.stepMs;
      if (o.speaks) facts = happen(happen(facts, 'claim', now), 'heard', now);
      const { action } = decide(facts, now);
      if (action.kind === 'launch') facts = happen(facts, 'launchOk', now);
      if (action.kind === 'inspect') facts = happen(facts, o.unit, now);
      if (action.kind === 'kill') facts = { ...facts, killedAt: now, killedFor: action.why };
      if (action.kind === 'tell') facts = { ...facts, told: true };
      if (action.kind === 'clean') facts = { ...facts, cleaned: true };
      facts = written(facts, decide(facts, now), now);
    }
    return facts;
  }

  it('always comes to an end when time goes on and the backend answers, its followers told', () => {
    fc.assert(
      fc.property(steps, fc.constantFrom<World>('missing', 'alive'), (path, unit) => {
        const begun = walk(path, () => undefined);
        if (begun.admittedAt === null && !isFinal(begun.state)) return;
        const facts = goOn(begun, { speaks: false, unit, stepMs: 60_000, turns: 200 });
        expect(FINAL_STATES as readonly string[]).toContain(facts.state);
        expect({ told: facts.told, cleaned: facts.cleaned }).toEqual({ told: true, cleaned: true });
      }),
      { numRuns: 500 },
    );
  });

  it('comes to an end though its worker goes on speaking, in whichever phase', () => {
    fc.assert(
      fc.property(steps, (path) => {
        const begun = walk(path, () => undefined);
        if (begun.admittedAt === null && !isFinal(begun.state)) return;
        const facts = goOn(begun, { speaks: true, unit: 'alive', stepMs: 600_000, turns: 500 });
        expect(FINAL_STATES as readonly string[]).toContain(facts.state);
        expect({ told: facts.told, cleaned: facts.cleaned }).toEqual({ told: true, cleaned: true });
      }),
      { numRuns: 300 },
    );
  });

  it('ends and tells its followers though nobody ever answers', () => {
    fc.assert(
      fc.property(steps, (path) => {
        const begun = walk(path, () => undefined);
        if (begun.admittedAt === null && !isFinal(begun.state)) return;
        const facts = goOn(begun, { speaks: false, unit: 'away', stepMs: 60_000, turns: 200 });
        expect(FINAL_STATES as readonly string[]).toContain(facts.state);
        expect(facts.told).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('is never ended for silence or overtime by a server that was away, before anybody was asked', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 130_000, max: 48 * 3600_000 }), (path, awayMs) => {
        let at = T;
        const facts = walk(path, (_before, _after, now) => {
          at = now;
        });
        if (isFinal(facts.state) || facts.claimedAt === null || facts.finished || facts.cancelRequestedAt !== null)
          return;
        if (facts.killedFor !== null) return;
        const now = at + awayMs;
        const { action, state } = decide(facts, now);
        const isProven = /^(exited|missing)$/.test(facts.unit?.kind ?? '');
        if (!isProven) expect(['inspect', 'none']).toContain(action.kind);
        if (!isProven) expect(isFinal(state)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a machine that somebody paused', () => {
  const paused = (at: number, since: number) => unit('paused', at, { since: new Date(since).toISOString() });
  const later = T + 20 * 60_000;

  it('is waited for, however long its worker is silent', () => {
    const decision = decide({ ...running, unit: paused(later - 1_000, T) }, later);
    expect(decision).toMatchObject({ state: 'running', action: { kind: 'inspect' } });
    expect(decision.reason).toContain('paused');
  });
  it('counts as silent anew once it goes on', () => {
    const since = sinceWhen(paused(later - 1_000, T), 'running', later);
    const back = unit('running', later, { since: new Date(since).toISOString() });
    expect(decide({ ...running, unit: back }, later + 1_000).action.kind).toBe('inspect');
    const silent = unit('running', later + PATIENCE.giveUpMs + 1_000, { since: new Date(since).toISOString() });
    expect(decide({ ...running, unit: silent }, later + PATIENCE.giveUpMs + 2_000).action.kind).toBe('kill');
  });
  it.each(['sandbox_paused', 'sandbox_not_ready'] as const)('is waited for before it begins: %s', (code) => {
    const failure = { code, message: 'The sandbox s_1 is not there.', wayOut: '' };
    const waits = { ...admitted, state: 'starting', launchTries: 0 } as const;
    const fault = { failure, retry: true, at: later - 500 };
    expect(decide({ ...waits, launchFault: fault }, later)).toMatchObject({
      state: 'starting',
      action: { kind: 'none' },
    });
    expect(decide({ ...waits, launchFault: { ...fault, at: T } }, later).action.kind).toBe('launch');
  });
  it('one whose sandbox is closed while it is being cancelled is cancelled', () => {
    const gone = unit('exited', T + 5_000, { code: 'sandbox_closed' });
    expect(decide({ ...running, cancelRequestedAt: T + 1_000, unit: gone }, T + 6_000).state).toBe('cancelled');
  });
});
