import { LogEnd, LogLine, LogPage } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Api } from '../../server/api.ts';
import { closedEarly, eventStream, understood } from '../../server/event-stream.ts';
import { isPassing, whyLost } from '../../server/http.ts';

/** Which lines are wanted; the server does the choosing. */
export interface LogWish {
  readonly tail?: number | undefined;
  readonly since?: string | undefined;
  readonly grep?: string | undefined;
  readonly stream?: LogLine['stream'] | undefined;
}

const PAGE = 10_000;
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
  // Only the lines that are still to come: tail and since were answered before.
  const still: LogWish = { grep: wish.grep, stream: wish.stream };
  const frames = eventStream(api, `/jobs/${id}/logs?${query(still, { follow: 'true' })}`, {
    ...{ signal, after: last === 0 ? null : String(last) },
    onLost: (reason) => onConnection(false, reason),
    onBack: () => onConnection(true, ''),
  });
  try {
    for await (const { event, data } of frames) {
      if (event === 'end') return understood(api, LogEnd, data);
      if (event !== 'message' && event !== 'lines') continue;
      const fresh = understood(api, Lines, data).filter(({ n }) => n > last);
      last = fresh.at(-1)?.n ?? last;
      if (fresh.length > 0) yield fresh;
    }
    throw closedEarly();
  } catch (thrown) {
    throw isPassing(thrown) ? tooLong(api, id, thrown) : thrown;
  }
}

const tooLong = ({ server }: Api, id: string, cause: unknown): HangarError =>
  new HangarError('server_unreachable', {
    message: `The server at ${server} has been away for 15 minutes.`,
    wayOut: `Go on later: hangar logs ${id} --follow`,
    details: { reason: whyLost(cause) },
    cause,
  });
