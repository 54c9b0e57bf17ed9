import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { follow } from '../../bench/follow.ts';
import { makeRepo } from '../e2e/server-process.ts';
import { Fleet } from './fleet.ts';
import { Person } from './person.ts';

/**
 * How long servers are killed, one every 10 s: short in `make test`. The long form, by hand:
 * HANGAR_TEST_SCALED_SECONDS=180 npx vitest run tests/scaled
 */
const SECONDS = Number(process.env.HANGAR_TEST_SCALED_SECONDS ?? '30');
const KILL_EVERY_MS = 10_000;
const FOLLOWERS = 200;
/** A lease of a server that was killed, a launch, and the rest of the job. */
const END_MS = 150_000;

let fleet: Fleet | null = null;
afterEach(async () => {
  await fleet?.remove();
  fleet = null;
});

async function signIn(made: Fleet): Promise<{ person: Person; key: string }> {
  const [first] = made.servers;
  if (!first) throw new Error('no server');
  const key = await first.adminKey();
  const repo = await makeRepo(join(made.dir, 'repo'));
  const file = join(made.dir, 'repo.bundle');
  execFileSync('git', ['bundle', 'create', '-q', file, 'HEAD'], { cwd: repo });
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repo, encoding: 'utf8' }).trim();
  return {
    person: await Person.signIn({ url: made.url, key, dir: made.dir, bundle: readFileSync(file), commit }),
    key,
  };
}
const ask = (url: string, key: string, path: string) =>
  fetch(`${url}/api${path}`, { headers: { authorization: `Bearer ${key}` } });

const counting = (n: number, seconds: number): string =>
  `i=1; while [ $i -le ${n} ]; do echo "line $i"; i=$((i+1)); sleep ${seconds}; done; echo done > result.txt`;
const counted = (lines: readonly string[]): string[] => lines.filter((line) => /^line \d+$/.test(line));
const countedTo = (n: number): string[] => Array.from({ length: n }, (_, index) => `line ${index + 1}`);

describe('three servers on one database and one bucket', () => {
  it('begin at the same time on an empty database, and each answers for what another did', async () => {
    fleet = await (await Fleet.make({ count: 3, checks: false, empty: true })).start();
    const { person, key } = await signIn(fleet);
    const [a, b, c] = fleet.servers;
    if (!a || !b || !c) throw new Error('three were asked for');
    const id = (await person.submit(counting(60, 0.1))) ?? '';
    // A page at one, a log at another, live lines at each.
    const streams = fleet.servers.map((server) =>
      follow({
        host: '127.0.0.1',
        port: server.port,
        key,
        path: `/api/jobs/${id}/logs?follow=true`,
        followers: 2,
        seconds: 30,
        cutFrom: 2,
        cutTo: 4,
      }),
    );
    for (const server of fleet.servers) {
      expect((await ask(server.url, key, `/jobs/${id}`)).status).toBe(200);
      expect((await ask(server.url, key, `/jobs/${id}/logs`)).status).toBe(200);
    }
    const job = await person.ended(id, 60_000);
    expect(job).toMatchObject({ state: 'succeeded', diff: { filesChanged: 1 } });
    for (const result of await Promise.all(streams))
      expect(result).toMatchObject({ gaps: 0, repeats: 0, incomplete: 0 });
    for (const server of fleet.servers) {
      const diff = await (await ask(server.url, key, `/jobs/${id}/artifacts/diff`)).text();
      expect(diff).toContain('+done');
    }
    // A cancel at one ends what a worker waits for at another.
    const long = (await person.submit('sleep 300')) ?? '';
    await until(
      async () => ((await (await ask(a.url, key, `/jobs/${long}`)).json()) as { state: string }).state === 'running',
    );
    const cancel = await fetch(`${b.url}/api/jobs/${long}/cancel`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
    });
    expect(cancel.status).toBe(200);
    expect((await person.ended(long, 30_000)).state).toBe('cancelled');
    expect(person.errors).toEqual([]);
  }, 180_000);

  it('count tries of a password together', async () => {
    fleet = await (await Fleet.make({ count: 2, checks: false })).start();
    const { servers, url } = fleet;
    const tries = () =>
      Promise.all(
        Array.from({ length: 14 }, async (_, n) => {
          const answer = await fetch(`${servers[n % 2]?.url}/api/auth/sign-in`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', origin: url },
            body: JSON.stringify({ email: 'nobody@example.org', password: 'not this one' }),
          });
          return answer.status;
        }),
      );
    // Ten a minute, seven on each server. Where a new minute begins in between, the next tries are all in that one.
    const statuses = await tries();
    if (!statuses.includes(429)) statuses.push(...(await tries()));
    expect(statuses).toContain(429);
    expect(statuses).toContain(401);
  }, 60_000);

  it('are renewed one after the other without a request that fails', async () => {
    fleet = await (await Fleet.make({ count: 3, checks: true, env: { HANGAR_DRAIN_SECONDS: '2' } })).start();
    const { person, key } = await signIn(fleet);
    const { url } = fleet;
    const id = (await person.submit(counting(300, 0.1))) ?? '';
    const watched = follow({
      host: '127.0.0.1',
      port: fleet.balancer.port,
      key,
      path: `/api/jobs/${id}/logs?follow=true`,
      followers: 20,
      seconds: 60,
      cutFrom: 100,
      cutTo: 120,
    });
    let stopped = false;
    const failures: string[] = [];
    let asked = 0;
    /** Each request over a connection that is kept, and none is tried again. */
    const asking = Array.from({ length: 8 }, async (_, n) => {
      while (!stopped) {
        const path = ['/jobs', `/jobs/${id}`, '/users/me', `/jobs/${id}/logs?tail=5`][n % 4] ?? '/jobs';
        asked += 1;
        const status = await ask(url, key, path).then(
          async (answer) => {
            await answer.arrayBuffer();
            return String(answer.status);
          },
          (error: unknown) => String(error instanceof Error ? (error.cause ?? error) : error),
        );
        if (status !== '200') failures.push(`${path}: ${status}`);
        await sleep(20);
      }
    });
    for (const server of fleet.servers) {
      await server.kill('SIGTERM');
      await server.start();
      await sleep(500);
    }
    stopped = true;
    await Promise.all(asking);
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(100);
    const job = await person.ended(id, 90_000);
    expect(job.state).toBe('succeeded');
    expect(counted((await person.log(id)) ?? [])).toEqual(countedTo(300));
    expect(await watched).toMatchObject({ gaps: 0, repeats: 0, incomplete: 0 });
    expect(person.errors).toEqual([]);
  }, 180_000);

  it(
    `lose nothing while one of them is killed every 10 s for ${SECONDS} s`,
    async () => {
      fleet = await (await Fleet.make({ count: 3, checks: false })).start();
      const made = fleet;
      const { person, key } = await signIn(made);
      const lines = SECONDS * 10;
      const watchedId = (await person.submit(counting(lines, 0.1))) ?? '';
      const watched = follow({
        host: '127.0.0.1',
        port: made.balancer.port,
        key,
        path: `/api/jobs/${watchedId}/logs?follow=true`,
        followers: FOLLOWERS,
        seconds: SECONDS + END_MS / 1000,
        cutFrom: 5,
        cutTo: SECONDS,
      });
      const stopAt = Date.now() + SECONDS * 1000;
      const ids: string[] = [];
      const submitting = (async () => {
        while (Date.now() < stopAt) {
          const id = await person.submit(
            'echo "once $(cat /proc/sys/kernel/random/uuid)"; for i in 1 2 3 4 5; do echo "line $i"; sleep 0.1; done; echo done > result.txt',
          );
          if (id !== null) ids.push(id);
          await sleep(1_500);
        }
      })();
      const looking = (async () => {
        while (Date.now() < stopAt) {
          await person.does('list', () => person.client.jobs.list({}));
          const id = ids.at(-1);
          if (id !== undefined) {
            await person.does('status', () => person.client.jobs.get({ id }));
            await person.log(id);
          }
          await sleep(200);
        }
      })();
      for (let n = 0; Date.now() + KILL_EVERY_MS < stopAt; n++) {
        await sleep(KILL_EVERY_MS);
        const victim = made.servers[n % made.servers.length];
        await victim?.kill('SIGKILL');
        await sleep(1_000);
        await victim?.start();
      }
      await Promise.all([submitting, looking]);

      expect(ids.length).toBeGreaterThan(5);
      for (const id of ids) {
        const job = await person.ended(id, END_MS);
        expect({ id, state: job.state, reason: job.reason }).toMatchObject({ state: 'succeeded' });
        const log = (await person.log(id)) ?? [];
        expect(counted(log)).toEqual(countedTo(5));
        expect(log.filter((line) => line.startsWith('once '))).toHaveLength(1);
        expect(await person.diff(id)).toContain('+done');
      }
      expect((await person.ended(watchedId, END_MS)).state).toBe('succeeded');
      expect(counted((await person.log(watchedId)) ?? [])).toEqual(countedTo(lines));
      expect(await watched).toMatchObject({ gaps: 0, repeats: 0, incomplete: 0 });
      // Commands on the machine find a server among what the killed ones have left.
      expect(await made.servers[1]?.adminKey()).toMatch(/^hgr_/);
      expect(person.errors).toEqual([]);
      expect(person.calls).toBeGreaterThan(SECONDS);
      console.log(`${ids.length} jobs, ${person.calls} calls, ${FOLLOWERS} followers`, await watched);
    },
    (SECONDS + 60) * 1000 + END_MS,
  );
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('it did not come to that');
    await sleep(100);
  }
}
