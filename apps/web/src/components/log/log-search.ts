import { plainText } from './ansi.ts';
import { CHUNK, type Chunk, chunkOf, type LogBuffer, lineAt, slotOf } from './log-buffer.ts';

/** Milliseconds of work at a time, so that typing and scrolling go on. */
const SLICE_MS = 7;

/** Asks the server for numbers of lines that hold a text, for lines that are not loaded; resolves when it has told all. */
export type RemoteSearch = (
  text: string,
  found: (lines: readonly number[]) => void,
  signal: AbortSignal,
) => Promise<void>;

export interface SearchState {
  readonly text: string;
  /** Lines that hold it, so far. */
  readonly count: number;
  readonly searching: boolean;
  /** Grows with every change. */
  readonly version: number;
  /** The part of the log that is not loaded could not be searched. */
  readonly partial: boolean;
}

interface Found {
  readonly version: number;
  readonly slots: Uint16Array;
}

const NOTHING: SearchState = { text: '', count: 0, searching: false, version: 0, partial: false };

/** A search over a log that goes on as lines arrive. Case does not matter. Work is done in slices between frames. */
export class LogSearch {
  state: SearchState = NOTHING;
  private readonly buffer: LogBuffer;
  private readonly remote: RemoteSearch | null;
  private found: (Found | undefined)[] = [];
  private remoteFound = new Map<number, Set<number>>();
  private remoteRunning = false;
  private remotePartial = false;
  private pattern: RegExp | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private abort: AbortController | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(buffer: LogBuffer, remote: RemoteSearch | null = null) {
    this.buffer = buffer;
    this.remote = remote;
  }

  /** Begins a new search; an empty text ends it. */
  start(text: string): void {
    if (text === this.state.text) return;
    this.stop();
    this.found = [];
    this.remoteFound = new Map();
    this.remotePartial = false;
    this.pattern = text === '' ? null : new RegExp(escapeRegExp(text), 'giu');
    this.tell({ ...NOTHING, text, searching: text !== '' });
    if (text === '') return;
    this.schedule();
    if (this.remote !== null && this.buffer.missing(1, this.buffer.total) !== null)
      this.searchRemote(text, this.remote);
  }

  /** Looks at what has changed in the buffer. */
  refresh(): void {
    if (this.pattern !== null && this.timer === null) this.schedule();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.abort?.abort();
    this.abort = null;
    this.remoteRunning = false;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): SearchState => this.state;

  /** The next line that matches after (or before) a line, around the ends; null when there is none. */
  next(from: number, direction: 1 | -1): number | null {
    const chunks = this.buffer.chunkCount;
    if (this.state.count === 0 || chunks === 0) return null;
    const start = Math.min(chunks - 1, Math.max(0, chunkOf(from)));
    for (let step = 0; step <= chunks; step += 1) {
      const index = (((start + direction * step) % chunks) + chunks) % chunks;
      const slots = this.slotsOf(index);
      const ordered = direction === 1 ? slots : slots.toReversed();
      for (const slot of ordered) {
        const n = lineAt(index, slot);
        // In the chunk it starts in, first only what lies beyond; after a full turn, the rest of it.
        if (step > 0 || (direction === 1 ? n > from : n < from)) return n;
      }
    }
    return null;
  }

  /** Which match a line is, from 1; 0 when it is none. */
  ordinal(n: number): number {
    const index = chunkOf(n);
    const at = this.slotsOf(index).indexOf(slotOf(n));
    if (at === -1) return 0;
    let before = 0;
    for (let chunk = 0; chunk < index; chunk += 1) before += this.slotsOf(chunk).length;
    return before + at + 1;
  }

  matches(n: number): boolean {
    return this.slotsOf(chunkOf(n)).includes(slotOf(n));
  }

  private slotsOf(index: number): readonly number[] {
    const local = this.found[index]?.slots;
    const remote = this.remoteFound.get(index);
    const chunk = this.buffer.chunk(index);
    if (remote === undefined || chunk?.complete) return local === undefined ? [] : [...local];
    const all = new Set(local);
    for (const slot of remote) if (!chunk?.has(slot)) all.add(slot);
    return [...all].sort((a, b) => a - b);
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.timer = null;
      this.slice();
    }, 0);
  }

  private slice(): void {
    const pattern = this.pattern;
    if (pattern === null) return;
    const until = performance.now() + SLICE_MS;
    let index = 0;
    const chunks = this.buffer.chunkCount;
    for (; index < chunks; index += 1) {
      const chunk = this.buffer.chunk(index);
      if (chunk === undefined || this.found[index]?.version === chunk.version) continue;
      if (performance.now() > until) break;
      this.found[index] = { version: chunk.version, slots: matchesIn(chunk, pattern) };
    }
    const more = index < chunks;
    this.tellCount(more);
    if (more) this.schedule();
  }

  private tellCount(localRunning: boolean): void {
    let count = 0;
    for (let index = 0; index < this.buffer.chunkCount; index += 1)
      count += this.remoteFound.has(index) ? this.slotsOf(index).length : (this.found[index]?.slots.length ?? 0);
    const partial = this.remotePartial || (this.remote === null && this.buffer.missing(1, this.buffer.total) !== null);
    this.tell({ ...this.state, count, searching: localRunning || this.remoteRunning, partial });
  }

  private searchRemote(text: string, remote: RemoteSearch): void {
    const abort = new AbortController();
    this.abort = abort;
    this.remoteRunning = true;
    const take = (lines: readonly number[]) => {
      if (abort.signal.aborted) return;
      for (const n of lines) {
        const slots = this.remoteFound.get(chunkOf(n)) ?? new Set();
        slots.add(slotOf(n));
        this.remoteFound.set(chunkOf(n), slots);
      }
      this.tellCount(this.timer !== null);
    };
    const done = (partial: boolean) => {
      if (abort.signal.aborted) return;
      this.remoteRunning = false;
      this.remotePartial = partial;
      this.tellCount(this.timer !== null);
    };
    remote(text, take, abort.signal).then(
      () => done(false),
      () => done(true),
    );
  }

  private tell(state: SearchState): void {
    const was = this.state;
    if (
      was.text === state.text &&
      was.count === state.count &&
      was.searching === state.searching &&
      was.partial === state.partial
    )
      return;
    this.state = { ...state, version: was.version + 1 };
    for (const listener of this.listeners) listener();
  }
}

function matchesIn(chunk: Chunk, pattern: RegExp): Uint16Array {
  const slots: number[] = [];
  const joined = chunk.special ? null : chunk.joined();
  if (joined !== null) {
    pattern.lastIndex = 0;
    for (let match = pattern.exec(joined.text); match !== null; match = pattern.exec(joined.text)) {
      const slot = slotAt(joined.starts, match.index);
      slots.push(slot);
      // One match a line is enough: go on with the next line.
      pattern.lastIndex = joined.starts[slot + 1] ?? joined.text.length;
    }
    return Uint16Array.from(slots);
  }
  for (let slot = 0; slot < CHUNK; slot += 1) {
    const text = chunk.text(slot);
    if (text === undefined) continue;
    pattern.lastIndex = 0;
    if (pattern.test(plainText(text))) slots.push(slot);
  }
  return Uint16Array.from(slots);
}

function slotAt(starts: Uint32Array, offset: number): number {
  let low = 0;
  let high = CHUNK - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Where a text stands in a line, as pairs of start and end; at most 200. */
export function spansOf(line: string, text: string): [number, number][] {
  if (text === '') return [];
  const spans: [number, number][] = [];
  for (const match of line.matchAll(new RegExp(escapeRegExp(text), 'giu'))) {
    spans.push([match.index, match.index + match[0].length]);
    if (spans.length === 200) break;
  }
  return spans;
}

const escapeRegExp = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
