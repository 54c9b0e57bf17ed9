import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Units } from '../../port/unit.ts';
import { nothingBrought } from '../../testing/profile.ts';
import { createE2bDriver } from './index.ts';
import { type AskedOf, type E2bServer, startE2bServer } from './testing/e2b-server.ts';
import { type E2bPeer, fakePeer, holdSpec, realPeer } from './testing/peer.ts';

const KEY = process.env.E2B_API_KEY;
const made: E2bPeer[] = [];
afterEach(async () => {
  for (const peer of made.splice(0)) await peer[Symbol.asyncDispose]();
});
const soon = () => ({ signal: AbortSignal.timeout(90_000) });
const quietly = () => ({ ...soon(), say: () => undefined });

async function faked(o: Parameters<typeof fakePeer>[0] = {}): Promise<E2bPeer & { server: E2bServer; units: Units }> {
  const peer = await fakePeer(o);
  made.push(peer);
  if (!peer.server) throw new Error('no fake');
  return { ...peer, server: peer.server, units: peer.reach.units };
}
const creating = ({ what }: AskedOf): boolean => what === 'POST /v2/sandboxes';
const listing = ({ what }: AskedOf): boolean => what === 'GET /v2/sandboxes';
async function until<T>(look: () => T | Promise<T>, right: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await look();
    if (right(value)) return value;
    await new Promise((done) => setTimeout(done, 50));
  }
}
async function printed(units: Units, key: { id: string; attempt: number }, script: string): Promise<string> {
  const machine = await units.machine(key, soon());
  const channel = await machine.open(['sh', '-c', script], { ...soon(), stdin: false });
  channel.stderr.resume();
  return text(channel.stdout);
}

const peers: [string, () => Promise<E2bPeer>][] = [['the fake', () => fakePeer()]];
if (KEY) peers.push(['E2B', () => realPeer(KEY)]);

describe.each(peers)('units of %s', (_name, open) => {
  let peer: E2bPeer;
  beforeAll(async () => {
    peer = await open();
  });
  afterAll(() => peer[Symbol.asyncDispose]());

  test('made once, found again, paused with its memory, resumed, renewed, removed', async () => {
    const { units } = peer.reach;
    const spec = holdSpec('s_life');
    expect(await units.inspect(spec.key, soon())).toEqual({ kind: 'missing' });
    await units.ensure(spec, quietly());
    await units.ensure(spec, quietly());
    expect(await units.inspect(spec.key, soon())).toEqual({ kind: 'running' });
    expect(await units.inspect({ ...spec.key, attempt: 2 }, soon())).toEqual({ kind: 'missing' });
    await printed(units, spec.key, 'echo kept > ~/kept; sleep 300 >/dev/null 2>&1 & echo $! > ~/pid');
    await units.pause?.(spec.key, soon());
    await units.pause?.(spec.key, soon());
    expect(await units.inspect(spec.key, soon())).toEqual({ kind: 'paused' });
    await expect(units.machine(spec.key, soon())).rejects.toMatchObject({ code: 'driver_unavailable' });
    await units.ensure(spec, quietly());
    expect(await units.inspect(spec.key, soon())).toEqual({ kind: 'paused' });
    await units.resume?.(spec.key, soon());
    await units.resume?.(spec.key, soon());
    expect(await printed(units, spec.key, 'cat ~/kept; kill -0 $(cat ~/pid) && echo lives')).toBe('kept\nlives\n');
    await units.renew?.(spec.key, 60_000, soon());
    await units.remove(spec.key, soon());
    await units.remove(spec.key, soon());
    expect(await units.inspect(spec.key, soon())).toEqual({ kind: 'missing' });
    await expect(units.machine(spec.key, soon())).rejects.toMatchObject({ code: 'sandbox_gone' });
    await expect(units.pause?.(spec.key, soon())).rejects.toMatchObject({ code: 'sandbox_gone' });
    await units.stop(spec.key, { ...soon(), graceMs: 0 });
  });

  test('stopped: all are asked to end, none is left, the files are', async () => {
    const { units } = peer.reach;
    const spec = holdSpec('s_stop');
    await units.ensure(spec, quietly());
    const polite = 'trap "echo asked > ~/asked; exit" TERM; touch ~/up; while :; do sleep 0.1; done';
    const stubborn = `: stubborn-${peer.instanceId}; trap "" TERM; while :; do sleep 0.1; done`;
    await printed(
      units,
      spec.key,
      `setsid sh -c '${polite}' >/dev/null 2>&1 & setsid sh -c '${stubborn}' >/dev/null 2>&1 & while [ ! -e ~/up ]; do sleep 0.1; done`,
    );
    await units.stop(spec.key, { ...soon(), graceMs: 5000 });
    await units.stop(spec.key, { ...soon(), graceMs: 5000 });
    expect(await units.inspect(spec.key, soon())).toEqual({ kind: 'paused' });
    await units.resume?.(spec.key, soon());
    const left = `cat ~/asked; grep -qsa "[s]tubborn-${peer.instanceId}" /proc/[0-9]*/cmdline && echo left`;
    expect(await printed(units, spec.key, left)).toBe('asked\n');
    await units.remove(spec.key, soon());
  });

  test('a profile is proved, and leaves nothing', async () => {
    const checks = await peer.reach.test(soon());
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual(
      ['Package and key', 'Key accepted', 'Sandbox', 'Command', 'Machine', 'Removed'].map((name) => [name, true]),
    );
    expect(checks.find(({ name }) => name === 'Machine')?.detail).toMatch(
      /^Linux .+ as \S+, \d+ CPU, [\d.]+ GiB of memory, /,
    );
    expect(await peer.reach.units.sweep(async () => true, soon())).toEqual({ removed: [], kept: 0 });
  });

  test('a key that is wrong is told so by a test, and nothing more is tried', async () => {
    const checks = await peer.reachAs({ apiKey: 'e2b_wrong' }).test(soon());
    expect(checks).toMatchObject([
      { ok: true },
      { name: 'Key accepted', ok: false, wayOut: expect.stringMatching(/key/) },
    ]);
  });

  test('a template that is not there', async () => {
    const spec = holdSpec('s_template', { image: 'hangar-no-such-template' });
    await expect(peer.reach.units.ensure(spec, quietly())).rejects.toMatchObject({ code: 'image_not_found' });
  });
});

describe('a create of which nobody knows whether it happened', () => {
  test.each(['cut answer', 'cut'] as const)('%s: found again or made at last, never twice', async (fault) => {
    const peer = await faked();
    const spec = holdSpec('s_once');
    peer.server.fault = (asked) => (creating(asked) && asked.nth === 1 ? fault : null);
    const first = peer.units.ensure(spec, quietly());
    if (fault === 'cut') await expect(first).rejects.toMatchObject({ code: 'driver_unavailable' });
    else await first;
    await peer.units.ensure(spec, quietly());
    expect(peer.server.sandboxes.size).toBe(1);
  });

  test('given up in the middle: the next call finds it', async () => {
    const peer = await faked();
    const spec = holdSpec('s_given_up');
    peer.server.fault = (asked) => (creating(asked) ? 'no answer' : null);
    const given = new AbortController();
    const first = peer.units.ensure(spec, { signal: given.signal, say: () => undefined });
    await until(
      () => peer.server.sandboxes.size,
      (size) => size === 1,
    );
    given.abort(new Error('given up'));
    await expect(first).rejects.toThrow('given up');
    await peer.units.ensure(spec, quietly());
    expect(peer.server.asked.filter((asked) => asked === 'api POST /v2/sandboxes')).toHaveLength(1);
  });

  test('two servers at once: the older stays, for both', async () => {
    const peer = await faked();
    const spec = holdSpec('s_two');
    // Neither sees what the other makes before its own is made.
    peer.server.fault = (asked) => (listing(asked) && asked.nth <= 2 ? { status: 200, body: '[]' } : null);
    await Promise.all([peer.units.ensure(spec, quietly()), peer.reachAs().units.ensure(spec, quietly())]);
    await peer.units.ensure(spec, quietly());
    expect([...peer.server.sandboxes.keys()]).toHaveLength(1);
    expect(await peer.units.inspect(spec.key, soon())).toEqual({ kind: 'running' });
  });

  test('a younger double of a unit that is owned is swept', async () => {
    const peer = await faked({ pageSize: 2 });
    for (let at = 0; at < 5; at += 1) await peer.units.ensure(holdSpec(`s_${at}`), quietly());
    const oldest = [...peer.server.sandboxes.keys()][0];
    peer.server.fault = (asked) => (listing(asked) ? { status: 200, body: '[]' } : null);
    await peer.units.ensure(holdSpec('s_0'), quietly());
    peer.server.fault = () => null;
    const report = await peer.units.sweep(async ({ id, attempt }) => attempt === 1 && id !== 's_3', soon());
    expect(report.kept).toBe(4);
    expect(report.removed).toHaveLength(2);
    expect(peer.server.sandboxes.has(oldest ?? '')).toBe(true);
    expect(peer.server.sandboxes.size).toBe(4);
  });

  test('what is of another Hangar is not seen', async () => {
    const peer = await faked();
    const other = peer.reachAs({ instanceId: 'other' });
    await other.units.ensure(holdSpec('s_same'), quietly());
    expect(await peer.units.inspect(holdSpec('s_same').key, soon())).toEqual({ kind: 'missing' });
    expect(await peer.units.sweep(async () => false, soon())).toEqual({ removed: [], kept: 0 });
    expect(peer.server.sandboxes.size).toBe(1);
  });

  test('a list that is not what was asked for removes nothing', async () => {
    const peer = await faked();
    await peer.units.ensure(holdSpec('s_mine'), quietly());
    await peer.reachAs({ instanceId: 'other' }).units.ensure(holdSpec('s_theirs'), quietly());
    const all = [...peer.server.sandboxes.values()].map((one) => ({
      ...{ sandboxID: one.id, templateID: 'base', metadata: one.metadata, state: 'running', envdVersion: '0.6.13' },
      ...{ startedAt: one.startedAt.toISOString(), endAt: one.endAt.toISOString() },
    }));
    peer.server.fault = (asked) => (listing(asked) ? { status: 200, body: JSON.stringify(all) } : null);
    await peer.units.remove(holdSpec('s_mine').key, soon());
    expect([...peer.server.sandboxes.values()].map(({ metadata }) => metadata.hangarUnit)).toEqual(['s_theirs-1']);
  });
});

describe('time', () => {
  const endOf = ({ server }: { server: E2bServer }) => [...server.sandboxes.values()][0]?.endAt.getTime() ?? 0;

  test('a unit ends at its deadline by itself, with all that runs in it', async () => {
    const peer = await faked();
    const spec = holdSpec('s_short', { deadlineSeconds: 4 });
    await peer.units.ensure(spec, quietly());
    const root = [...peer.server.sandboxes.values()][0]?.root;
    await peer.units.renew?.(spec.key, 3_600_000, soon());
    await until(
      () => peer.units.inspect(spec.key, soon()),
      ({ kind }) => kind === 'missing',
    );
    await until(
      () => existsSync(root ?? ''),
      (there) => !there,
    );
    expect(root).toBeDefined();
    await expect(peer.units.machine(spec.key, soon())).rejects.toMatchObject({ code: 'sandbox_gone' });
  });

  test('is renewed and never shortened, and never past its deadline', async () => {
    const peer = await faked();
    const { units } = peer;
    const spec = holdSpec('s_renewed', { deadlineSeconds: null });
    await units.ensure(spec, quietly());
    const made = endOf(peer);
    await units.renew?.(spec.key, 60_000, soon());
    expect(endOf(peer)).toBe(made);
    await units.renew?.(spec.key, 7_200_000, soon());
    expect(endOf(peer)).toBeGreaterThan(made + 3_000_000);
    await units.remove(spec.key, soon());
    const ends = holdSpec('s_ends', { deadlineSeconds: 600 });
    await units.ensure(ends, quietly());
    const deadline = endOf(peer);
    await units.renew?.(ends.key, 7_200_000, soon());
    expect(Math.abs(endOf(peer) - deadline)).toBeLessThan(30_000);
  });

  test('no longer than the plan allows, and it is said', async () => {
    const peer = await faked({ maxHours: 1 });
    const said: string[] = [];
    const spec = holdSpec('s_plan', { deadlineSeconds: 86_400 });
    await peer.units.ensure(spec, { ...soon(), say: (reason) => said.push(reason) });
    expect(said.at(-1)).toMatch(/after 1 h/);
    expect(peer.server.sandboxes.size).toBe(1);
    await peer.units.renew?.(spec.key, 7_200_000, soon());
    expect(peer.warnings).toHaveLength(2);
  });

  test('a unit that was paused past its deadline does not come back', async () => {
    const peer = await faked();
    const spec = holdSpec('s_late', { deadlineSeconds: 3 });
    await peer.units.ensure(spec, quietly());
    await peer.units.pause?.(spec.key, soon());
    await until(
      () => Date.now(),
      (now) => now > endOf(peer) + 1000,
    );
    await expect(peer.units.resume?.(spec.key, soon())).rejects.toMatchObject({ code: 'sandbox_gone' });
    expect(peer.server.sandboxes.size).toBe(0);
  });
});

describe('what E2B, and what stands before it, says', () => {
  const page = '<!DOCTYPE html><html><body>Sign in to the network</body></html>';
  const json = (status: number, message: string, headers = {}) => ({
    ...{ status, headers, body: JSON.stringify({ code: status, message }) },
  });
  test.each([
    ['a wrong key', json(401, 'Invalid API key e2b_0123456789abcdef'), { code: 'driver_auth_failed' }],
    ['a key without the right', json(403, 'forbidden'), { code: 'driver_auth_failed' }],
    [
      'too many calls',
      json(429, 'Rate limit exceeded', { 'Retry-After': '17' }),
      { code: 'driver_busy', details: { retryAfterMs: 17_000 } },
    ],
    [
      'too many, without when',
      json(429, 'Rate limit exceeded'),
      { code: 'driver_busy', details: { retryAfterMs: 10_000 } },
    ],
    ['too many, by a page', { status: 429, body: page, type: 'text/html' }, { code: 'driver_busy' }],
    [
      'a full account',
      json(429, 'you have reached the maximum number of concurrent E2B sandboxes (20)'),
      { code: 'driver_quota' },
    ],
    ['no money', json(402, 'billing: payment required'), { code: 'driver_quota' }],
    ['a refusal', json(400, 'Invalid template reference'), { code: 'launch_failed' }],
    ['a failure', json(500, 'internal'), { code: 'driver_unavailable' }],
    ['no capacity', json(503, 'no node'), { code: 'driver_unavailable' }],
    [
      'a page',
      { status: 200, body: page, type: 'text/html' },
      { code: 'driver_unavailable', message: expect.stringMatching(/web page/) },
    ],
    ['a page for who is not signed in', { status: 403, body: page, type: 'text/html' }, { code: 'driver_unavailable' }],
    ['a page for what is not there', { status: 404, body: page, type: 'text/html' }, { code: 'driver_unavailable' }],
    [
      'an API that has no such call',
      { status: 404, body: '404 page not found', type: 'text/plain' },
      { code: 'driver_unavailable' },
    ],
    ['an empty object', { status: 201, body: '{}' }, { code: 'driver_unavailable' }],
    [
      'a cut',
      'cut',
      { code: 'driver_unavailable', message: expect.stringMatching(/127\.0\.0\.1:\d+: the connection was cut/) },
    ],
  ] as const)('%s', async (_name, fault, expected) => {
    const peer = await faked();
    peer.server.fault = (asked) => (creating(asked) ? fault : null);
    const error = await peer.units.ensure(holdSpec('s_told'), quietly()).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject(expected);
    expect(inspect(error, { depth: 5 })).not.toContain(peer.server.account.apiKey);
    expect(peer.server.sandboxes.size).toBe(0);
  });

  test('a host that is not there is named', async () => {
    const peer = await faked();
    const closed = await startE2bServer();
    await closed[Symbol.asyncDispose]();
    const reach = peer.reachAs({ settings: { apiUrl: closed.apiUrl } });
    await expect(reach.units.inspect(holdSpec('s_none').key, soon())).rejects.toMatchObject({
      ...{ code: 'driver_unavailable', message: expect.stringMatching(/127\.0\.0\.1:\d+: the connection was refused/) },
    });
  });

  test('an account that is full', async () => {
    const peer = await faked({ maxSandboxes: 1 });
    await peer.units.ensure(holdSpec('s_first'), quietly());
    await expect(peer.units.ensure(holdSpec('s_second'), quietly())).rejects.toMatchObject({ code: 'driver_quota' });
  });

  test('a profile without a key asks nobody, whatever the environment has', async () => {
    const peer = await faked();
    process.env.E2B_API_KEY ??= '';
    const before = process.env.E2B_API_KEY;
    process.env.E2B_API_KEY = peer.server.account.apiKey;
    try {
      const reach = peer.reachAs({ apiKey: null });
      await expect(reach.validate?.(soon())).rejects.toMatchObject({ code: 'driver_auth_failed' });
      await expect(reach.units.inspect(holdSpec('s_none').key, soon())).rejects.toMatchObject({
        code: 'driver_auth_failed',
      });
      expect(peer.server.asked).toEqual([]);
    } finally {
      process.env.E2B_API_KEY = before;
    }
  });

  test('a program that could not reach this server is not begun', async () => {
    const peer = await faked();
    const program = { kind: 'brought', name: 'probe', input: 'secret' } as const;
    await expect(peer.units.ensure(holdSpec('j_1', { program }), quietly())).rejects.toMatchObject({
      code: 'launch_failed',
      wayOut: expect.stringContaining('serverUrl'),
    });
    expect(peer.server.asked).toEqual([]);
  });
});

test('the driver tells what it can, and refuses settings that are not its own', async () => {
  const peer = await faked();
  const driver = createE2bDriver({ brought: nothingBrought('x'), log: pino({ level: 'silent' }) });
  expect(await driver.describe(soon())).toMatchObject({
    name: 'e2b',
    available: true,
    detail: expect.stringMatching(/e2b \d+\.\d+/),
  });
  expect(() => peer.reachAs({ settings: { domain: 'NOT A DOMAIN' } })).toThrow(
    expect.objectContaining({ code: 'validation_failed' }),
  );
});
