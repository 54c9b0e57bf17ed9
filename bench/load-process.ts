// Runs one load in a process of its own, so that the server's clients do not share its event loop: started by load.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { httpConnection } from './http-connection.ts';
import type { AskLoad, InsertLoad, Load, LoadResult, SubmitLoad } from './load.ts';

const RETRY_MS = 50;
const GIVE_UP_MS = 60_000;

/** Jobs that are all alike but for their key; a request without an answer is sent again with the same key until it has one. */
async function submit(load: SubmitLoad): Promise<LoadResult> {
  const result = empty();
  const until = performance.now() + load.seconds * 1000;
  let next = 0;
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const connection = httpConnection(load);
      while (performance.now() < until && next < (load.atMost ?? Number.POSITIVE_INFINITY)) {
        const key = `${load.keyPrefix}-${next++}`;
        const begun = performance.now();
        for (;;) {
          try {
            const { status, body } = await connection.request(
              'POST',
              '/api/jobs',
              load.body,
              `idempotency-key: ${key}\r\n`,
            );
            if (status >= 500 && performance.now() - begun < GIVE_UP_MS) throw new Error(`${status} ${body}`);
            if (status >= 300) throw new Refused(`${status} ${body}`);
            if (load.keepIds) result.ids.push([key, (JSON.parse(body) as { id: string }).id]);
            break;
          } catch (error) {
            if (error instanceof Refused || performance.now() - begun > GIVE_UP_MS) throw error;
            result.retries += 1;
            await sleep(RETRY_MS);
          }
        }
        result.ms.push(performance.now() - begun);
      }
      connection.close();
    }),
  );
  return result;
}

class Refused extends Error {}

/** GET requests over and over, the paths in turn. */
async function ask(load: AskLoad): Promise<LoadResult> {
  const result = empty();
  const until = performance.now() + load.seconds * 1000;
  let turn = 0;
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const connection = httpConnection(load);
      if (load.pauseMs > 0) await sleep(Math.random() * load.pauseMs);
      while (performance.now() < until) {
        const path = load.paths[turn++ % load.paths.length] ?? '/';
        const begun = performance.now();
        const { status, body } = await connection.request('GET', path);
        if (status !== 200) throw new Error(`GET ${path}: ${status} ${body}`);
        result.ms.push(performance.now() - begun);
        if (load.pauseMs > 0) await sleep(load.pauseMs * (0.5 + Math.random()));
      }
      connection.close();
    }),
  );
  return result;
}

/** The floor of accepting: one insert a transaction, prepared once, on as many connections. */
async function insert(load: InsertLoad): Promise<LoadResult> {
  const result = empty();
  const clients = await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const client = new pg.Client(load.database);
      await client.connect();
      return client;
    }),
  );
  const until = performance.now() + load.seconds * 1000;
  let next = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < until) {
        const begun = performance.now();
        if (load.transaction) await client.query('begin');
        await client.query({
          name: 'floor',
          text: `insert into ${load.table} (id, body) values ($1, $2)`,
          values: [`${load.keyPrefix}-${next++}`, load.body],
        });
        if (load.transaction) await client.query('commit');
        result.ms.push(performance.now() - begun);
      }
      await client.end();
    }),
  );
  return result;
}

const empty = (): LoadResult & { ms: number[] } => ({ ms: [], seconds: 0, retries: 0, ids: [] });

// Stays until it is ended: the exit of a process may be heard before its last message.
process.on('message', (load: Load) => {
  const begun = performance.now();
  const run = load.kind === 'submit' ? submit(load) : load.kind === 'ask' ? ask(load) : insert(load);
  run.then(
    (result) => process.send?.({ ...result, seconds: (performance.now() - begun) / 1000 }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
