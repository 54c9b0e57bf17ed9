import type { LogLine, LogStream } from '@hangar/contract';
import { hasSpecial, plainText } from './ansi.ts';
import { cellsOf } from './cells.ts';

/** Lines of a chunk; chunk k holds the lines k·1024+1 to (k+1)·1024. */
export const CHUNK = 1024;

const STREAMS: readonly LogStream[] = ['stdout', 'stderr', 'system'];

/**
 * Lines of one chunk, each at its place. Text stands in one string once all are there: a million lines are a thousand
 * strings and a few typed arrays, not a million objects.
 */
export interface Chunk {
  readonly loaded: number;
  readonly complete: boolean;
  /** Grows with every change. */
  readonly version: number;
  /** Whether any line holds escape sequences, tabs or other control characters. */
  readonly special: boolean;
  has(slot: number): boolean;
  /** As it came, with its escape sequences; undefined when it is not loaded. */
  text(slot: number): string | undefined;
  /** Index in LogStream: 0 stdout, 1 stderr, 2 system. */
  stream(slot: number): number;
  /** Milliseconds since 1970. */
  at(slot: number): number;
  /** Columns the line takes on one row. */
  cells(slot: number): number;
  /** All lines joined by line ends, and where each begins; only of a complete chunk. */
  joined(): { readonly text: string; readonly starts: Uint32Array } | null;
}

class Slots implements Chunk {
  loaded = 0;
  version = 0;
  special = false;
  private texts: (string | undefined)[] | null = [];
  private whole = '';
  private starts: Uint32Array | null = null;
  private readonly streams = new Uint8Array(CHUNK);
  private readonly times = new Float64Array(CHUNK);
  private readonly widths = new Uint32Array(CHUNK);

  get complete(): boolean {
    return this.loaded === CHUNK;
  }

  has(slot: number): boolean {
    return this.texts === null || this.texts[slot] !== undefined;
  }

  text(slot: number): string | undefined {
    if (this.texts !== null) return this.texts[slot];
    const from = this.starts?.[slot] ?? 0;
    const to = (this.starts?.[slot + 1] ?? 0) - 1;
    return this.whole.slice(from, to);
  }

  stream(slot: number): number {
    return this.streams[slot] ?? 0;
  }

  at(slot: number): number {
    return this.times[slot] ?? 0;
  }

  cells(slot: number): number {
    return this.widths[slot] ?? 0;
  }

  joined(): { text: string; starts: Uint32Array } | null {
    return this.starts === null ? null : { text: this.whole, starts: this.starts };
  }

  /** Characters added; 0 when the line was there. */
  put(slot: number, line: LogLine): number {
    if (this.texts === null || this.texts[slot] !== undefined) return 0;
    const text = line.text.includes('\n') ? line.text.replaceAll('\n', ' ') : line.text;
    const special = hasSpecial(text);
    this.texts[slot] = text;
    this.special ||= special;
    this.streams[slot] = Math.max(0, STREAMS.indexOf(line.stream));
    this.times[slot] = Date.parse(line.at);
    this.widths[slot] = cellsOf(special ? plainText(text) : text);
    this.loaded += 1;
    this.version += 1;
    if (this.loaded === CHUNK) this.seal(this.texts);
    return text.length + 1;
  }

  private seal(texts: readonly (string | undefined)[]): void {
    const starts = new Uint32Array(CHUNK + 1);
    let at = 0;
    for (let slot = 0; slot < CHUNK; slot += 1) {
      starts[slot] = at;
      at += (texts[slot]?.length ?? 0) + 1;
    }
    starts[CHUNK] = at;
    this.whole = texts.join('\n');
    this.starts = starts;
    this.texts = null;
  }
}

export interface LogBufferOptions {
  /** Characters kept; beyond, whole chunks far from the reader are let go and asked for again when looked at. */
  readonly keepCharacters?: number;
  /** Whether lines that were let go can be had again. Without it nothing is let go. */
  readonly canReload?: boolean;
}

/**
 * The lines of a log that are known here, by number. Lines come in any order and any number of times; gaps are lines that
 * exist but are not loaded. Listeners are told once a frame, however many lines came.
 */
export class LogBuffer {
  /** Lines the log has, loaded or not. */
  total = 0;
  version = 0;
  /** Columns of the widest loaded line. */
  widest = 0;
  /** Lines that are loaded. */
  loaded = 0;
  /** Where the reader is: what is far from it is let go first. */
  focus = 1;
  private readonly chunks: (Slots | undefined)[] = [];
  private readonly sizes: number[] = [];
  private characters = 0;
  private readonly listeners = new Set<() => void>();
  private scheduled = false;
  private readonly keep: number;

  constructor({ keepCharacters = 256 * 1024 * 1024, canReload = false }: LogBufferOptions = {}) {
    this.keep = canReload ? keepCharacters : Number.POSITIVE_INFINITY;
  }

  get chunkCount(): number {
    return Math.ceil(this.total / CHUNK);
  }

  /** Lines that exist in a chunk. */
  linesIn(index: number): number {
    return Math.max(0, Math.min(CHUNK, this.total - index * CHUNK));
  }

  chunk(index: number): Chunk | undefined {
    return this.chunks[index];
  }

  text(n: number): string | undefined {
    return this.chunks[chunkOf(n)]?.text(slotOf(n));
  }

  stream(n: number): LogStream {
    return STREAMS[this.chunks[chunkOf(n)]?.stream(slotOf(n)) ?? 0] ?? 'stdout';
  }

  at(n: number): number {
    return this.chunks[chunkOf(n)]?.at(slotOf(n)) ?? 0;
  }

  has(n: number): boolean {
    return this.chunks[chunkOf(n)]?.has(slotOf(n)) ?? false;
  }

  /** Adds lines; those that are there already change nothing. Returns how many were new. */
  put(lines: readonly LogLine[]): number {
    const before = this.loaded;
    for (const line of lines) {
      const index = chunkOf(line.n);
      const chunk = this.chunks[index] ?? new Slots();
      this.chunks[index] = chunk;
      const size = chunk.put(slotOf(line.n), line);
      if (size === 0) continue;
      this.loaded += 1;
      this.characters += size;
      this.sizes[index] = (this.sizes[index] ?? 0) + size;
      this.widest = Math.max(this.widest, chunk.cells(slotOf(line.n)));
      if (line.n > this.total) this.total = line.n;
    }
    const added = this.loaded - before;
    if (added > 0) {
      this.letGo();
      this.changed();
    }
    return added;
  }

  /** The log has this many lines, even if they are not here. */
  grow(total: number): void {
    if (total <= this.total) return;
    this.total = total;
    this.changed();
  }

  /** Numbers between from and to (both included) that exist but are not here, as one span; null when all are. */
  missing(from: number, to: number): { from: number; to: number } | null {
    let first = Math.max(1, from);
    let last = Math.min(this.total, to);
    while (first <= last && this.has(first)) first += 1;
    while (last >= first && this.has(last)) last -= 1;
    return first > last ? null : { from: first, to: last };
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): number => this.version;

  private changed(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    onNextFrame(() => {
      this.scheduled = false;
      this.version += 1;
      for (const listener of this.listeners) listener();
    });
  }

  private letGo(): void {
    while (this.characters > this.keep) {
      const here = chunkOf(this.focus);
      let farthest = -1;
      // The last chunk is still growing: it stays.
      for (let index = 0; index < this.chunks.length - 1; index += 1) {
        if (this.chunks[index] === undefined || Math.abs(index - here) <= 2) continue;
        if (farthest === -1 || Math.abs(index - here) > Math.abs(farthest - here)) farthest = index;
      }
      const gone = this.chunks[farthest];
      if (gone === undefined) return;
      this.loaded -= gone.loaded;
      this.characters -= this.sizes[farthest] ?? 0;
      this.sizes[farthest] = 0;
      this.chunks[farthest] = undefined;
    }
  }
}

export const chunkOf = (n: number): number => Math.floor((n - 1) / CHUNK);
export const slotOf = (n: number): number => (n - 1) % CHUNK;
export const lineAt = (chunk: number, slot: number): number => chunk * CHUNK + slot + 1;

/** A hidden tab gets no frames: there a timer has to do. */
function onNextFrame(run: () => void): void {
  if (typeof requestAnimationFrame === 'function' && document.visibilityState === 'visible') {
    let done = false;
    const once = () => {
      if (done) return;
      done = true;
      run();
    };
    requestAnimationFrame(once);
    setTimeout(once, 250);
  } else setTimeout(run, 50);
}
