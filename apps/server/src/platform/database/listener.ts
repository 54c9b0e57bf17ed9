import { setTimeout as sleep } from 'node:timers/promises';
import { type SQL, sql } from 'drizzle-orm';
import pg from 'pg';
import type { Logger } from 'pino';

/** What is told with the commit of a transaction, to whoever listens on the channel at any server. */
export interface Note {
  readonly channel: string;
  readonly payload: string;
}

/** All of them in one statement. PostgreSQL sends equal ones once. */
export const sending = (notes: readonly Note[]): SQL =>
  sql`select pg_notify(channel, payload) from unnest(${sql.param(notes.map(({ channel }) => channel))}::text[],
    ${sql.param(notes.map(({ payload }) => payload))}::text[]) note(channel, payload)`;

/** How often the connection is tried out, and how long an answer may take before it counts as lost. */
const HEARTBEAT_MS = 5_000;
const ANSWER_DEADLINE_MS = 5_000;
/** How long a caller of listen() waits for a database that is not there. */
const LISTEN_DEADLINE_MS = 60_000;
const RETRY_MAX_MS = 2_000;

interface Connection {
  client: pg.Client;
  /** Runs one statement at a time; pg warns of a second one on a busy connection. */
  ask(statement: string): Promise<unknown>;
  /** Resolves when the connection has ended. */
  lost: Promise<void>;
}

interface Subscription {
  onMessage: (payload: string) => void;
  onReconnect: (() => void) | undefined;
  active: boolean;
}

/** LISTEN for a whole process on one connection, made on first use. */
export interface Listener {
  listen(
    channel: string,
    onMessage: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<{ close(): Promise<void> }>;
  close(): Promise<void>;
}

/**
 * @param onSilence the database takes no connection and the one that was there got no answer: others will get none either,
 *   and without this would wait for it for as long as TCP does
 */
export function createListener(connection: pg.ClientConfig, log: Logger, onSilence: () => void): Listener {
  const channels = new Map<string, Set<Subscription>>();
  const stopping = new AbortController();
  let current: Connection | null = null;
  let running: Promise<void> | null = null;
  let connected = Promise.withResolvers<void>();

  function dispatch(message: { channel: string; payload?: string | undefined }): void {
    for (const subscription of channels.get(message.channel) ?? []) {
      guarded(() => subscription.onMessage(message.payload ?? ''));
    }
  }

  function guarded(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      log.error({ err: error }, 'a listener of the database failed');
    }
  }

  async function open(): Promise<Connection> {
    const client = new pg.Client({
      ...connection,
      application_name: 'hangar-listen',
      connectionTimeoutMillis: ANSWER_DEADLINE_MS,
      query_timeout: ANSWER_DEADLINE_MS,
      keepAlive: true,
    });
    const lost = Promise.withResolvers<void>();
    client.on('error', () => lost.resolve());
    client.on('end', () => lost.resolve());
    client.on('notification', dispatch);
    let last: Promise<unknown> = Promise.resolve();
    const ask = (statement: string): Promise<unknown> => {
      last = last.catch(() => undefined).then(() => client.query(statement));
      return last;
    };
    try {
      await client.connect();
      for (const channel of channels.keys()) await ask(`listen ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      void client.end().catch(() => undefined);
      throw error;
    }
    return { client, ask, lost: lost.promise };
  }

  async function keepListening(): Promise<void> {
    let before: Subscription[] = []; // who was there when the connection was lost
    let failures = 0;
    let unanswered = 0; // heartbeats and attempts to connect, one after the other
    while (!stopping.signal.aborted) {
      try {
        current = await open();
        failures = 0;
        unanswered = 0;
        connected.resolve();
        for (const subscription of before) if (subscription.active) guarded(() => subscription.onReconnect?.());
        await watch(current);
        if (!stopping.signal.aborted) log.warn('the listening connection to the database was lost');
      } catch (error) {
        failures += 1;
        unanswered = isSilence(error) ? unanswered + 1 : 0;
        // One connection that is lost says little; that no other can be made says that the link is dead.
        if (unanswered > 1 && !current) guarded(onSilence);
        log.debug({ err: error, failures }, 'the database cannot be listened to');
      }
      if (current) {
        void current.client.end().catch(() => undefined);
        current = null;
        connected = Promise.withResolvers();
        before = [...channels.values()].flatMap((subscriptions) => [...subscriptions]);
      }
      const pause = Math.min(RETRY_MAX_MS, 50 * 2 ** Math.min(failures, 6));
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  /** Resolves when the connection is lost, noticed by its end or by a heartbeat without an answer. */
  async function watch(connection: Connection): Promise<void> {
    const ended = Promise.race([connection.lost, aborted(stopping.signal)]).then(() => true);
    while (!stopping.signal.aborted) {
      const timer = new AbortController();
      const beat = sleep(HEARTBEAT_MS, false, { signal: timer.signal, ref: false }).catch(() => false);
      const over = await Promise.race([ended, beat]);
      timer.abort();
      if (over) return;
      await connection.ask('select 1');
    }
  }

  /** Each channel is in `channels` before the connection is used, so whoever connects next listens to it too. */
  async function listening(channel: string): Promise<void> {
    const deadline = AbortSignal.any([stopping.signal, AbortSignal.timeout(LISTEN_DEADLINE_MS)]);
    running ??= keepListening();
    for (;;) {
      await Promise.race([connected.promise, aborted(deadline)]);
      deadline.throwIfAborted();
      try {
        if (current) return void (await current.ask(`listen ${pg.escapeIdentifier(channel)}`));
      } catch {
        // Lost just now. The loop above connects again.
      }
      await sleep(20, undefined, { signal: deadline });
    }
  }

  return {
    async listen(channel, onMessage, onReconnect) {
      const subscription: Subscription = { onMessage, onReconnect, active: true };
      const subscriptions = channels.get(channel) ?? new Set();
      channels.set(channel, subscriptions.add(subscription));
      const remove = async (): Promise<void> => {
        subscription.active = false;
        if (!subscriptions.delete(subscription) || subscriptions.size > 0) return;
        if (channels.get(channel) === subscriptions) channels.delete(channel);
        await current?.ask(`unlisten ${pg.escapeIdentifier(channel)}`).catch(() => undefined);
      };
      try {
        await listening(channel);
      } catch (error) {
        await remove();
        throw error;
      }
      return { close: remove };
    },
    async close() {
      stopping.abort();
      channels.clear();
      await running;
    },
  };
}

/** What pg says after its own deadlines; a refused connection is another matter. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && /^(timeout expired|Query read timeout|Connection terminated)/.test(error.message);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
