import { Readable } from 'node:stream';
import { HangarError, type LogLine, type LogPage, type LogQuery } from '@hangar/contract';
import { linesOf } from '../log-line.ts';
import type { LogStore, Piece } from '../log-store.ts';
import { filterOf, type LogFilter, sinceOf } from './log-filter.ts';

/** A page ends early at so much text… */
const PAGE_BYTES = 8 * 1024 * 1024;
/** …or after looking through so much for lines that pass; `nextAfter` goes on from there. */
const SEARCH_BYTES = 64 * 1024 * 1024;

/** What a page takes; the rest of LogQuery is about its form. */
export type PageQuery = Pick<LogQuery, 'limit'> &
  Partial<Pick<LogQuery, 'after' | 'before' | 'tail' | 'since' | 'grep' | 'stream'>>;

/** Lines after and before these numbers. */
interface Window {
  readonly after: number;
  readonly before: number;
}

/** History: pages, searches, downloads. Nothing here reads more of a log than it has to. */
export function createLogReader(store: LogStore) {
  async function read(logId: string, query: PageQuery, signal?: AbortSignal): Promise<LogPage> {
    const since = sinceOf(query);
    const [row] = await store.rows([logId]);
    const total = row?.lastLine ?? 0;
    const ended = (row?.endedAt ?? null) !== null;
    const filter = filterOf(query, since);
    const window = { after: query.after ?? 0, before: Math.min(query.before ?? total + 1, total + 1) };
    const from = await begin(logId, query, window, filter, since, signal);
    const { lines, seen } = await forward(logId, { ...window, after: from }, query.limit, filter, since, signal);
    return { lines, total, nextAfter: seen < total && from < total ? seen : null, ended };
  }

  /** After which line the page begins. */
  async function begin(
    logId: string,
    query: PageQuery,
    window: Window,
    filter: LogFilter | null,
    since: Date | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const wanted = query.tail ?? (query.before !== undefined && query.after === undefined ? query.limit : null);
    if (wanted === null) return window.after;
    if (wanted === 0) return window.before - 1;
    if (!filter) return Math.max(window.after, window.before - 1 - wanted);
    let left = wanted;
    for await (const piece of store.scan(logId, { ...window, descending: true, ...(since ? { since } : {}), signal })) {
      if (!filter.mayPass(piece)) continue;
      for (const line of newLines(piece).reverse()) {
        if (!filter.test(line)) continue;
        left -= 1;
        if (left === 0) return line.n - 1;
      }
    }
    return window.after;
  }

  /** `seen`: the last line looked at. */
  async function forward(
    logId: string,
    window: Window,
    limit: number,
    filter: LogFilter | null,
    since: Date | undefined,
    signal: AbortSignal | undefined,
  ): Promise<{ lines: LogLine[]; seen: number }> {
    const lines: LogLine[] = [];
    let size = 0;
    let searched = 0;
    for await (const piece of store.scan(logId, { ...window, ...(since ? { since } : {}), signal })) {
      searched += piece.data.length;
      if (!filter || filter.mayPass(piece)) {
        for (const line of newLines(piece)) {
          if (filter && !filter.test(line)) continue;
          lines.push(line);
          size += line.text.length;
          if (lines.length >= limit || size >= PAGE_BYTES) return { lines, seen: line.n };
        }
      }
      if (searched >= SEARCH_BYTES) return { lines, seen: piece.to };
    }
    return { lines, seen: window.before - 1 };
  }

  async function* textOf(logId: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
    const [row] = await store.rows([logId]);
    let seen = 0;
    for await (const piece of store.scan(logId, { after: 0, signal })) {
      seen = piece.to;
      const text = newLines(piece).map((line) => `${line.text}\n`);
      yield text.join('');
    }
    // Removed meanwhile: who reads must not take the part for the whole.
    if (row && seen < row.lastLine) throw new HangarError('log_removed');
  }

  return {
    read,
    /** The whole log as text, a line a line. */
    text: (logId: string, signal?: AbortSignal): Readable => Readable.from(textOf(logId, signal), { highWaterMark: 2 }),
  };
}

/** Those lines of a piece that its scan has not given before. */
export function newLines(piece: Piece): LogLine[] {
  const lines = linesOf(piece);
  if (piece.from === piece.first && piece.to === piece.last) return lines;
  return lines.filter(({ n }) => n >= piece.from && n <= piece.to);
}
