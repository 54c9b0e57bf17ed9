import { isClosed } from '@hangar/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PATIENCE, type SandboxFacts } from './sandbox-facts.ts';
import { decide } from './sandbox-lifecycle.ts';

const NOW = 1_000_000_000_000;
const fresh: SandboxFacts = {
  ...{ createdAt: NOW, admittedAt: null, closeRequestedAt: null, closedFor: null, pauseWanted: false },
  ...{ launchTries: 0, launchedAt: null, launchFault: null, launchReason: null, machine: null, readyAt: null },
  ...{ treeWanted: false, treeFault: null, preparingAt: null },
  ...{ lastActivityAt: NOW, idleMs: 3_600_000, lifetimeMs: 86_400_000 },
  ...{ fault: null, warnedOf: null, cleaned: false, ended: null, reason: '', failure: null },
};
const seen = (kind: NonNullable<SandboxFacts['machine']>['kind'], at = NOW, reason = '') => ({
  kind,
  reason,
  at,
  since: at,
});
const launched = { ...fresh, admittedAt: NOW, launchedAt: NOW, launchTries: 1 };
const running = { ...launched, readyAt: NOW, machine: seen('running') };
const fault = (retry: boolean) => ({
  failure: { code: 'driver_unavailable', message: 'No answer.', wayOut: 'Wait.' },
  ...{ retry, at: NOW },
});

const refusal = (act: 'pause' | 'resume' | 'clean') => ({
  act,
  failure: { code: 'unsupported', message: 'It cannot.', wayOut: 'Use another.' },
});

const cases: [string, SandboxFacts, number, { state: string; action: string }][] = [
  ['waits for a place', fresh, NOW, { state: 'queued', action: 'none' }],
  ['is launched once it has one', { ...fresh, admittedAt: NOW }, NOW, { state: 'starting', action: 'launch' }],
  ['is looked at after that', launched, NOW, { state: 'starting', action: 'look' }],
  [
    'does not run because its driver says so',
    { ...launched, machine: seen('running') },
    NOW,
    { state: 'starting', action: 'look' },
  ],
  ['runs once it has proved it', running, NOW, { state: 'running', action: 'none' }],
  ['is asked after before 30 s are over', running, NOW + 15_000, { state: 'running', action: 'look' }],
  ['is lost when its machine is', { ...running, machine: seen('missing') }, NOW, { state: 'lost', action: 'clean' }],
  [
    'was closed by its time where the driver was a little sooner',
    { ...running, machine: seen('missing'), lastActivityAt: NOW + 86_390_000 },
    NOW + 86_390_000,
    { state: 'closing', action: 'close' },
  ],
  ['stays while nobody answers', { ...running, machine: seen('unknown') }, NOW, { state: 'running', action: 'none' }],
  [
    'fails when its machine ends before it ran',
    { ...launched, machine: seen('exited') },
    NOW,
    { state: 'failed', action: 'clean' },
  ],
  [
    'lays out the files of its job when its machine runs, however long that takes',
    { ...launched, machine: seen('running'), treeWanted: true },
    NOW + 60 * 60_000,
    { state: 'starting', action: 'prepare' },
  ],
  [
    'asks again for a machine that was lost sight of while they were laid out',
    { ...launched, machine: seen('unknown', NOW + 60 * 60_000), treeWanted: true },
    NOW + 60 * 60_000 + 1_000,
    { state: 'starting', action: 'look' },
  ],
  [
    'and not for ever',
    { ...launched, machine: seen('unknown', NOW + 60 * 60_000), treeWanted: true },
    NOW + 75 * 60_000,
    { state: 'failed', action: 'clean' },
  ],
  [
    'gives up when they are not laid out, whatever broke in between',
    { ...launched, machine: seen('running', NOW + 4 * 3600_000), treeWanted: true, preparingAt: NOW },
    NOW + 4 * 3600_000,
    { state: 'failed', action: 'clean' },
  ],
  [
    'fails when they cannot be laid out',
    { ...launched, machine: seen('running'), treeWanted: true, treeFault: fault(false).failure },
    NOW,
    { state: 'failed', action: 'clean' },
  ],
  [
    'closes while they are laid out',
    { ...launched, machine: seen('running'), treeWanted: true, closeRequestedAt: NOW },
    NOW,
    { state: 'closing', action: 'close' },
  ],
  ['is paused when asked', { ...running, pauseWanted: true }, NOW, { state: 'running', action: 'pause' }],
  ['is paused', { ...running, pauseWanted: true, machine: seen('paused') }, NOW, { state: 'paused', action: 'none' }],
  ['goes on when asked', { ...running, machine: seen('paused') }, NOW, { state: 'paused', action: 'resume' }],
  ['closes when asked', { ...running, closeRequestedAt: NOW }, NOW, { state: 'closing', action: 'close' }],
  ['closes before it began', { ...fresh, closeRequestedAt: NOW }, NOW, { state: 'closing', action: 'close' }],
  [
    'is not closed while something is left',
    { ...running, closedFor: 'person' },
    NOW,
    { state: 'closing', action: 'clean' },
  ],
  [
    'is closed when nothing is left',
    { ...running, closedFor: 'person', cleaned: true },
    NOW,
    { state: 'closed', action: 'none' },
  ],
  ['closes when nobody uses it', running, NOW + 3_600_000, { state: 'running', action: 'close' }],
  [
    'does not when somebody did',
    { ...running, lastActivityAt: NOW + 1 },
    NOW + 3_600_000,
    { state: 'running', action: 'look' },
  ],
  [
    'closes after its lifetime',
    { ...running, lastActivityAt: NOW + 86_400_000 },
    NOW + 86_400_000,
    { state: 'closing', action: 'close' },
  ],
  [
    'tries again after a pause',
    { ...fresh, admittedAt: NOW, launchTries: 1, launchFault: fault(true) },
    NOW,
    { state: 'starting', action: 'none' },
  ],
  [
    'and then launches',
    { ...fresh, admittedAt: NOW, launchTries: 1, launchFault: fault(true) },
    NOW + 2_000,
    { state: 'starting', action: 'launch' },
  ],
  [
    'fails on what stays',
    { ...fresh, admittedAt: NOW, launchTries: 1, launchFault: fault(false) },
    NOW,
    { state: 'failed', action: 'clean' },
  ],
  [
    'fails after five tries',
    { ...fresh, admittedAt: NOW, launchTries: 5, launchFault: fault(true) },
    NOW,
    { state: 'failed', action: 'clean' },
  ],
  [
    'fails when its machine never answers',
    { ...launched, machine: seen('unknown') },
    NOW + 15 * 60_000,
    { state: 'failed', action: 'clean' },
  ],
  [
    'fails when nothing removes its machine',
    { ...running, closedFor: 'person', fault: refusal('clean') },
    NOW,
    { state: 'failed', action: 'none' },
  ],
  [
    'and is left alone then',
    { ...running, ended: 'failed', fault: refusal('clean') },
    NOW,
    { state: 'failed', action: 'none' },
  ],
  ['an ended one is tidied up', { ...running, ended: 'lost' }, NOW, { state: 'lost', action: 'clean' }],
  [
    'and then left alone',
    { ...running, ended: 'lost', cleaned: true, closeRequestedAt: NOW },
    NOW,
    { state: 'lost', action: 'none' },
  ],
];

test.each(cases)('%s', (_name, facts, now, { state, action }) => {
  expect(decide(facts, now, PATIENCE)).toMatchObject({ state, action: { kind: action } });
});

test('says so before it closes by itself', () => {
  const before = decide(running, NOW + 3_600_000 - PATIENCE.warnMs - 1, PATIENCE);
  expect(before.reason).toBe('Its machine runs');
  const warned = decide(running, NOW + 3_600_000 - PATIENCE.warnMs, PATIENCE);
  expect(warned.reason).toMatch(/^Closes soon .*: nobody has used it$/);
  expect(warned.near).toEqual({ at: NOW + 3_600_000, why: 'idle' });
  // Of its time it is warned as early, however soon nobody may have used it.
  const used = { ...running, lifetimeMs: 7_200_000, idleMs: 120_000, lastActivityAt: NOW + 7_000_000 };
  expect(decide(used, NOW + 7_000_000, PATIENCE).near).toEqual({ at: NOW + 7_200_000, why: 'lifetime' });
  expect(decide({ ...used, machine: seen('paused'), pauseWanted: true }, NOW + 7_000_000, PATIENCE)).toMatchObject({
    ...{ state: 'paused', reason: expect.stringMatching(/^Closes soon: its time/) },
    near: { why: 'lifetime' },
  });
  const short = { ...running, idleMs: 60_000 };
  expect(decide(short, NOW + 47_000, PATIENCE).reason).toBe('Its machine runs');
  expect(decide(short, NOW + 48_000, PATIENCE).reason).toMatch(/^Closes soon/);
});

describe('whatever was wanted and seen', () => {
  const time = fc.integer({ min: NOW - 90_000_000, max: NOW + 90_000_000 });
  const maybe = fc.option(time, { nil: null });
  const facts: fc.Arbitrary<SandboxFacts> = fc.record({
    ...{ createdAt: time, admittedAt: maybe, closeRequestedAt: maybe, pauseWanted: fc.boolean() },
    closedFor: fc.constantFrom(null, 'person' as const, 'idle' as const, 'lifetime' as const, 'restore' as const),
    ...{ launchTries: fc.integer({ min: 0, max: 9 }), launchedAt: maybe, launchReason: fc.constant(null) },
    launchFault: fc.constantFrom(null, fault(true), fault(false)),
    machine: fc.option(
      fc.record({
        kind: fc.constantFrom('missing', 'starting', 'running', 'paused', 'exited', 'unknown' as const),
        ...{ reason: fc.constant(''), at: time, since: time },
      }),
      { nil: null },
    ),
    ...{ treeWanted: fc.boolean(), treeFault: fc.constantFrom(null, fault(false).failure), preparingAt: maybe },
    ...{ readyAt: maybe, lastActivityAt: time, idleMs: fc.integer({ min: 30_000, max: 9e7 }) },
    ...{ lifetimeMs: fc.integer({ min: 30_000, max: 9e7 }), cleaned: fc.boolean() },
    fault: fc.constantFrom(null, refusal('pause'), refusal('resume'), refusal('clean')),
    warnedOf: maybe,
    ended: fc.constantFrom(null, 'closed' as const, 'failed' as const, 'lost' as const),
    ...{ reason: fc.constant('x'), failure: fc.constant(null) },
  });

  /** A sandbox that is looked at when it was said, and used now and then: what its person is told until it closes. */
  const lives = fc.record({
    ...{ idleMs: fc.integer({ min: 30_000, max: 7_200_000 }), lifetimeMs: fc.integer({ min: 30_000, max: 7_200_000 }) },
    ...{ uses: fc.array(fc.integer({ min: 0, max: 7_200_000 }), { maxLength: 12 }), pauseWanted: fc.boolean() },
  });
  test('each end that comes near is told once, and none comes that was not told', () => {
    fc.assert(
      fc.property(lives, ({ idleMs, lifetimeMs, uses, pauseWanted }) => {
        const kind = pauseWanted ? 'paused' : 'running';
        let facts: SandboxFacts = { ...running, idleMs, lifetimeMs, pauseWanted, machine: seen(kind) };
        const told: number[] = [];
        for (let now = NOW; ; ) {
          const used = uses.map((at) => NOW + at).filter((at) => at <= now);
          facts = { ...facts, lastActivityAt: Math.max(NOW, ...used) };
          const { action, near, wakeMs } = decide(facts, now, { ...PATIENCE, lookMs: 60_000 });
          if (action.kind === 'close') {
            expect(told).toContain(now);
            break;
          }
          if (near !== null && near.at !== facts.warnedOf) told.push(near.at);
          facts = { ...facts, warnedOf: near?.at ?? null };
          if (action.kind === 'look') facts = { ...facts, machine: seen(kind, now) };
          now += action.kind === 'look' ? 0 : (wakeMs ?? Number.NaN);
          // Whoever uses it is heard at once.
          const [next = now] = uses
            .map((at) => NOW + at)
            .filter((at) => at > facts.lastActivityAt && at < now)
            .sort();
          now = Math.min(now, next);
        }
        // The end of its lifetime is told again when a sooner one stood before it, and was put off.
        const lifetimeEnd = NOW + lifetimeMs;
        const once = told.filter((at) => at !== lifetimeEnd);
        expect(new Set(once).size).toBe(once.length);
        for (const [n, at] of told.entries()) expect(at).not.toBe(told[n - 1]);
      }),
    );
  });

  test('it is never closed while something may be left, ended ones stay ended, and each is looked at again or at its end', () => {
    fc.assert(
      fc.property(facts, time, (each, now) => {
        // Nothing makes such a row.
        fc.pre(each.ended !== 'closed' || each.cleaned);
        const { state, action, wakeMs, reason, near } = decide(each, now, PATIENCE);
        if (near !== null) expect([state === 'running' || state === 'paused', near.at > now]).toEqual([true, true]);
        if (state === 'closed') expect(each.cleaned).toBe(true);
        if (each.ended !== null) expect(state).toBe(each.ended);
        expect(reason).not.toBe('');
        expect(wakeMs === null || wakeMs >= 0).toBe(true);
        const isOver = (isClosed(state) && action.kind === 'none') || (state === 'queued' && action.kind === 'none');
        expect(wakeMs === null).toBe(isOver);
        if (state === 'running') expect(each.readyAt).not.toBeNull();
        if (action.kind !== 'prepare') return;
        expect(each).toMatchObject({ treeWanted: true, treeFault: null, readyAt: null, closedFor: null });
        expect(each).toMatchObject({ closeRequestedAt: null, machine: { kind: 'running' } });
      }),
    );
  });
});
