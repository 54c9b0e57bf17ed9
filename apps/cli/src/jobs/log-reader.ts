import { LogEnd, LogLine, LogPage } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { createParser } from 'eventsource-parser';
import type { Api } from '../server/api.ts';
import { isPassing, whyLost } from '../server/http.ts';
import { Breaks, closedEarly } from '../server/through-breaks.ts';

/** Which lines are wanted; the server does the choosing. */
export interface LogWish {
  readonly tail?: number | undefined;
  readonly since?: string | undefined;
  readonly grep?: string | undefined;
  readonly stream?: LogLine['stream'] | undefined;
}

const PAGE = 10_000;
/** A server that stays away this long is given up on. */
export const AWAY_MS = 15 * 60_000;
const Lines = LogLine.array();

/** The log as it is now, page by page. */
export async function* readLog(api: Api, id: string, wish: LogWish): AsyncGenerator<LogLine[], void> {
  if (wish.tail !== undefined && wish.tail <= PAGE) {
    if (wish.tail === 0) return;
    yield (await page(api, id, wish, { tail: wish.tail, limit: wish.tail })).lines;
    return;
  }
  const kept: LogLine[] = [];
  let after = 0;
  for (;;) {
    const { lines, nextAfter } = await page(api, id, wish, { after, limit: PAGE });
    if (wish.tail === undefined) yield lines;
    else kept.push(...lines.slice(-wish.tail));
    if (wish.tail !== undefined && kept.length > wish.tail * 2) kept.splice(0, kept.length - wish.tail);
    if (nextAfter === null || nextAfter <= after) break;
    after = nextAfter;
  }
  if (wish.tail !== undefined) yield kept.slice(-wish.tail);
}

async function page(api: Api, id: string, wish: LogWish, more: Record<string, number>): Promise<LogPage> {
  const response = await api.request(`/jobs/${id}/logs?${query(wish, more)}`, {
    headers: { accept: 'application/json' },
    repeatable: true,
  });
  return understood(api, LogPage, await response.text());
}

function query({ since, grep, stream }: LogWish, more: Record<string, number | string>): URLSearchParams {
  const fields = { since, grep, stream, ...more };
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) search.set(name, String(value));
  return search;
}

export interface Following {
  /** Said once when the connection breaks and once when it is back. */
  readonly onConnection: (connected: boolean, reason: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Follows a log to its end over SSE and yields each line once, in order: after a break it goes on behind the last line it has
 * (`Last-Event-ID`), through restarts of the server. Returns how the log ended.
 * @throws HangarError server_unreachable after 15 minutes without the server; what the server refuses
 */
export async function* followLog(
  api: Api,
  id: string,
  wish: LogWish,
  { onConnection, signal }: Following,
): AsyncGenerator<LogLine[], LogEnd> {
  let last = 0;
  if (wish.tail !== undefined || wish.since !== undefined) {
    // What is there already comes as pages; from there on every line counts, also one that falls into a break.
    const { total } = await page(api, id, {}, { limit: 1, tail: 1 });
    for await (const lines of readLog(api, id, wish)) {
      const known = lines.filter(({ n }) => n <= total);
      if (known.length > 0) yield known;
    }
    last = total;
  }
  const breaks = new Breaks({
    ...{ signal, patienceMs: AWAY_MS, quietFirst: true },
    onLost: (reason) => onConnection(false, reason),
    onBack: () => onConnection(true, ''),
  });
  for (;;) {
    let settled = () => {};
    try {
      for await (const event of connect(api, id, wish, last, signal)) {
        if (event.kind === 'open') {
          settled = breaks.opened();
          continue;
        }
        if (event.kind === 'end') {
          breaks.progress();
          return event.end;
        }
        const seen = last;
        const fresh = event.lines.filter(({ n }) => n > seen);
        last = Math.max(event.id, seen, fresh.at(-1)?.n ?? 0);
        if (last > seen) breaks.progress();
        if (fresh.length > 0) yield fresh;
      }
      throw closedEarly();
    } catch (error) {
      await breaks.again(error).catch((thrown: unknown) => {
        throw isPassing(thrown) ? tooLong(api, id, thrown) : thrown;
      });
    } finally {
      settled();
    }
  }
}

const tooLong = ({ server }: Api, id: string, cause: unknown): HangarError =>
  new HangarError('server_unreachable', {
    message: `The server at ${server} has been away for 15 minutes.`,
    wayOut: `Go on later: hangar logs ${id} --follow`,
    details: { reason: whyLost(cause) },
    cause,
  });

type FollowEvent = { kind: 'open' } | { kind: 'lines'; id: number; lines: LogLine[] } | { kind: 'end'; end: LogEnd };

async function* connect(
  api: Api,
  id: string,
  wish: LogWish,
  last: number,
  signal: AbortSignal,
): AsyncGenerator<FollowEvent> {
  // Only the lines that are still to come: tail and since were answered before.
  const still: LogWish = { grep: wish.grep, stream: wish.stream };
  const response = await api.request(`/jobs/${id}/logs?${query(still, { follow: 'true' })}`, {
    headers: { accept: 'text/event-stream', ...(last === 0 ? {} : { 'last-event-id': String(last) }) },
  });
  yield { kind: 'open' };
  const events: FollowEvent[] = [];
  const parser = createParser({
    onEvent: (message) => {
      if (message.event === 'end') events.push({ kind: 'end', end: understood(api, LogEnd, message.data) });
      else if (message.event === undefined || message.event === 'message' || message.event === 'lines')
        events.push({
          kind: 'lines',
          id: Number(message.id ?? 0) || 0,
          lines: understood(api, Lines, message.data),
        });
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* events.splice(0);
    signal.throwIfAborted();
  }
}

/** @throws HangarError bad_request, which no other try would mend */
function understood<T>({ server }: Api, schema: { parse(value: unknown): T }, data: string): T {
  try {
    return schema.parse(JSON.parse(data));
  } catch (error) {
    throw new HangarError('bad_request', {
      message: `The log that comes from ${server} is not understood.`,
      wayOut: 'Check that the address is a Hangar server of the same version as this command line.',
      cause: error,
    });
  }
}
