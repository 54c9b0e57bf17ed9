import type { ServerResponse } from 'node:http';
import type { RawOperation } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Database } from '../database/index.ts';
import { openEventStream } from '../http/event-stream.ts';
import { signedIn } from '../http/identity.ts';
import { type RawRoutes, serveRaw } from '../http/routes.ts';
import { orAborted } from '../waits.ts';
import { type Announcement, announcementOf, LIVE_CHANNEL } from './announce.ts';

/** How a thing is now, with its version: a viewer who has a newer one keeps that. Null: there is none. */
export type LiveView = (id: string) => Promise<{ readonly version: number } | null>;

interface Listener {
  readonly userId: string;
  readonly everybody: boolean;
  readonly nouns: ReadonlySet<string> | null;
  readonly response: ServerResponse;
}

/** A change that is not sent yet. */
interface Pending {
  readonly timer: NodeJS.Timeout;
  isLoading: boolean;
  /** It changed once more while it was read. */
  again: boolean;
}

export interface Live {
  /** A stream of changes under this URL: of these nouns, or of all. */
  routes(operation: RawOperation, nouns: readonly string[] | null): RawRoutes;
  /** Things of this noun are told to viewers from now on. */
  show(noun: string, view: LiveView): void;
  /** Resolves at the next change of this thing, or when the signal aborts. */
  untilChanged(id: string, signal: AbortSignal): Promise<void>;
  /** Lets go of everybody: streams end, so that their readers come back to another server, and waits are over. */
  close(): Promise<void>;
}

/** Changes of one thing within this time are sent as one. */
const TOGETHER_MS = 50;
/** A thing that cannot be read in this time is given up, until it changes again. */
const LOAD_MS = 30_000;
const HEARTBEAT_MS = 15_000;
/** A reader this far behind is cut off; it reconnects and reads the lists again. */
const MAX_BEHIND_BYTES = 1024 * 1024;

/**
 * One stream of changes to every viewer. Each changed thing is read once a process and sent as it now is to those who may see it.
 * A stream is no history: after a reconnect a page reads its lists again.
 */
export async function openLive(o: { database: Pick<Database, 'listen'>; log: Logger }): Promise<Live> {
  const views = new Map<string, LiveView>();
  const listeners = new Set<Listener>();
  const waiting = new Map<string, Set<() => void>>();
  const pending = new Map<string, Pending>();
  let closed = false;

  const subscription = await o.database.listen(LIVE_CHANNEL, onMessage, () => {
    // What was said while the connection was away is lost: everybody looks again.
    for (const wake of [...waiting.values()].flatMap((set) => [...set])) wake();
    for (const { response } of listeners) response.write('event: resync\ndata: {}\n\n');
  });

  function onMessage(payload: string): void {
    const change = announcementOf(payload);
    for (const wake of waiting.get(change.id) ?? []) wake();
    const key = `${change.noun} ${change.id}`;
    const before = pending.get(key);
    // What is being read now may have been read before this change.
    if (before) before.again ||= before.isLoading;
    else if (listeners.size > 0) sendSoon(key, change);
  }

  /** One thing is never read twice at the same time: what was read later would be sent earlier. */
  function sendSoon(key: string, change: Announcement): void {
    const timer = setTimeout(async () => {
      entry.isLoading = true;
      await send(change).catch((error: unknown) => o.log.warn({ err: error, change }, 'cannot send a change'));
      if (entry.again && !closed) sendSoon(key, change);
      else pending.delete(key);
    }, TOGETHER_MS);
    const entry: Pending = { timer, isLoading: false, again: false };
    pending.set(key, entry);
  }

  async function send(change: Announcement): Promise<void> {
    const viewers = () =>
      [...listeners].filter(
        (listener) =>
          (listener.everybody || listener.userId === change.audience) &&
          (listener.nouns === null || listener.nouns.has(change.noun)),
      );
    const view = views.get(change.noun);
    if (viewers().length === 0 || !view) return;
    const data = await orAborted(view(change.id), AbortSignal.timeout(LOAD_MS));
    if (data === null) return;
    const frame = `event: ${change.noun}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const viewer of viewers()) {
      if (viewer.response.writableLength > MAX_BEHIND_BYTES) viewer.response.destroy();
      else viewer.response.write(frame);
    }
  }

  const routes: Live['routes'] = (operation, nouns) => (app) => {
    serveRaw(app, operation, (request, reply) => {
      const { userId, everybody } = signedIn(request.caller);
      const response = openEventStream(reply);
      // Gone while it was found out who they are.
      if (response.destroyed) return;
      const listener: Listener = {
        userId,
        everybody,
        nouns: nouns && new Set(nouns),
        response,
      };
      if (closed) {
        response.end();
        return;
      }
      listeners.add(listener);
      // An event and no comment: pages are not shown comments, and without a sign of life would trust a dead connection.
      const heartbeat = setInterval(() => response.write('event: alive\ndata: {}\n\n'), HEARTBEAT_MS);
      response.once('close', () => {
        clearInterval(heartbeat);
        listeners.delete(listener);
      });
    });
  };

  return {
    routes,
    show(noun, view) {
      if (views.has(noun)) throw new Error(`two capabilities show ${noun}`);
      views.set(noun, view);
    },
    untilChanged: (id, signal) =>
      new Promise((resolve) => {
        const set = waiting.get(id) ?? new Set();
        waiting.set(id, set);
        const wake = () => {
          signal.removeEventListener('abort', wake);
          set.delete(wake);
          if (set.size === 0) waiting.delete(id);
          resolve();
        };
        set.add(wake);
        if (signal.aborted || closed) wake();
        else signal.addEventListener('abort', wake, { once: true });
      }),
    async close() {
      await subscription.close();
      for (const { timer } of pending.values()) clearTimeout(timer);
      closed = true;
      for (const wake of [...waiting.values()].flatMap((set) => [...set])) wake();
      for (const { response } of listeners) response.end('retry: 100\n\n');
    },
  };
}
