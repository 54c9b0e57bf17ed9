import { setTimeout as sleep } from 'node:timers/promises';
import { fromWire } from '@hangar/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../../apps/server/src/platform/database/testing/index.ts';
import { CUT_MS, CUT_TEST_MS } from './cut-length.ts';
import { CutProxy } from './proxy.ts';
import { counted, countedTo, counting, ServerHere } from './server-here.ts';

const LINES = Math.ceil(CUT_MS / 50) + 150;

/** A server whose PostgreSQL is at the other end of a link. */
interface Far {
  readonly server: ServerHere;
  readonly link: CutProxy;
  close(): Promise<void>;
}
const fars: Far[] = [];
beforeAll(async () => {
  for (let n = 0; n < 2; n++) fars.push(await far());
}, 120_000);
afterAll(async () => {
  for (const one of fars) await one.close();
});

async function far(): Promise<Far> {
  const database = await createTestDatabase();
  const url = new URL(database.url.replace(/^postgresql:/, 'http:').replace(/@[^:/]+:/, '@127.0.0.1:'));
  const folder = decodeURIComponent(/@([^:/]+):/.exec(database.url)?.[1] ?? '');
  const link = await CutProxy.open({ path: `${folder}/.s.PGSQL.5432` });
  const server = await ServerHere.start({
    databaseUrl: `postgresql://${url.username}@127.0.0.1:${link.port}${url.pathname}`,
    env: { HANGAR_JOBS_AT_ONCE: '2' },
  });
  return {
    server,
    link,
    async close() {
      await server.close();
      await link.close();
      await database.drop();
    },
  };
}

/** Names of the events a page would get, as they come. */
function listen(server: ServerHere): { events: string[]; stop(): void } {
  const events: string[] = [];
  const stop = new AbortController();
  const follow = async () => {
    const answer = await fetch(`${server.cli.url}/api/events`, {
      headers: { authorization: `Bearer ${server.key}` },
      signal: stop.signal,
    });
    for await (const chunk of answer.body ?? [])
      for (const [, name] of new TextDecoder().decode(chunk).matchAll(/^event: (\w+)$/gm)) events.push(name ?? '');
  };
  follow().catch(() => undefined);
  return { events, stop: () => stop.abort() };
}

/** What the server answers while its database is away, and how long the slowest took. */
async function askAround(server: ServerHere, until: number): Promise<{ answers: Set<string>; slowestMs: number }> {
  const answers = new Set<string>();
  let slowestMs = 0;
  const ask = async (name: string, path: string) => {
    const started = performance.now();
    const answer = await fetch(`${server.cli.url}${path}`, { headers: { authorization: `Bearer ${server.key}` } });
    const error = fromWire(await answer.json());
    slowestMs = Math.max(slowestMs, performance.now() - started);
    answers.add(`${name} ${answer.status}${error ? ` ${error.code}` : ''}`);
  };
  const asked: Promise<void>[] = [];
  while (Date.now() < until) {
    asked.push(ask('ready', '/readyz'), ask('jobs', '/api/jobs'), ask('me', '/api/users/me'));
    await sleep(500);
  }
  await Promise.all(asked);
  return { answers, slowestMs };
}

describe.concurrent('the link between server and PostgreSQL', () => {
  it.each([
    { how: 'cut', at: 0, longestMs: 15_000 },
    // 5 s until it is tried out, 5 s without an answer, 5 s without a new connection; twice for who came after another.
    { how: 'silence', at: 1, longestMs: 30_000 },
  ] as const)(
    '$how: 503 with a way out in its time, then everything goes on by itself',
    async ({ how, at, longestMs }) => {
      const one = fars[at];
      if (!one) throw new Error('no server');
      const { server, link } = one;
      const live = listen(server);
      const ids = [await server.send(counting(LINES, 0.05)), await server.send(counting(20, 0.05))];
      // Two run at once: this one waits, and starts by itself after the cut.
      ids.push(await server.send(counting(5, 0.05)));
      const following = server.cli.hangar(['logs', ids[0] ?? '', '--follow'], {
        env: server.env(),
        timeoutMs: CUT_TEST_MS,
      });
      await server.saw(ids[0] ?? '', 'line 20');

      link[how]();
      const { answers, slowestMs } = await askAround(server, Date.now() + CUT_MS);
      link.heal();
      const healed = performance.now();
      for (let turn = 0; turn < 200; turn++) {
        if ((await fetch(`${server.cli.url}/readyz`)).ok) break;
        await sleep(100);
      }
      console.log(
        `${how}: slowest answer ${Math.round(slowestMs)} ms, ready ${Math.round(performance.now() - healed)} ms after`,
      );
      expect(answers).toContain('ready 503');
      expect(answers).toContain('jobs 503 database_unavailable');
      for (const answer of answers) expect(answer).not.toMatch(/ 500/);
      expect(slowestMs).toBeLessThan(longestMs);

      const numbers = [LINES, 20, 5];
      for (const [index, id] of ids.entries()) {
        const { job, states } = await server.ended(id);
        expect(job).toMatchObject({ state: 'succeeded', failure: null, diff: { filesChanged: 1, partial: false } });
        expect(states).not.toContain('lost');
        expect(counted(await server.log(id))).toEqual(countedTo(numbers[index] ?? 0));
      }
      const { exitCode, stdout } = await following;
      expect(exitCode).toBe(0);
      expect(counted(stdout.split('\n'))).toEqual(countedTo(LINES));

      // What was announced in between is asked for again, and announcements arrive again.
      expect(live.events).toContain('resync');
      const before = live.events.lastIndexOf('resync');
      await server.ended(await server.send('echo again'));
      await sleep(300);
      expect(live.events.slice(before)).toContain('job');
      live.stop();
      expect(server.said.filter(({ level }) => level === 'error')).toEqual([]);
    },
    CUT_TEST_MS,
  );
});
