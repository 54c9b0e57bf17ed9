import type { LogStream } from '@hangar/contract';
import { CHUNK, chunkOf, type LogBuffer, lineAt, slotOf } from './log-buffer.ts';

/** What is drawn: a line, or a place for lines that are not loaded and may or may not be shown once they are. */
export interface LogItem {
  readonly n: number;
  /** Row at which it begins, from 0. */
  readonly row: number;
  /** Rows it takes. */
  readonly rows: number;
  /** A line that is not loaded yet. */
  readonly missing: boolean;
}

interface ChunkLayout {
  readonly key: string;
  /** Slots that are shown, or null for all. */
  readonly shown: Uint16Array | null;
  readonly count: number;
  /** Row of each shown line inside the chunk, with the sum at the end; null when each takes one. */
  readonly tops: Uint32Array | null;
  readonly rows: number;
}

export interface LayoutOptions {
  /** Columns of a row when lines are wrapped; null when each line takes one row. */
  readonly columns: number | null;
  /** Only lines of these streams. */
  readonly streams: ReadonlySet<LogStream> | null;
}

const STREAM_INDEX: Record<LogStream, number> = { stdout: 0, stderr: 1, system: 2 };

/**
 * Where each line stands, in rows from the top. Everything is kept per chunk, so adding lines costs only the last chunk,
 * and finding a place is a walk over the chunks (a thousand for a million lines).
 */
export class LogLayout {
  totalRows = 0;
  /** Lines that are shown (places for unloaded chunks count as one). */
  totalLines = 0;
  private readonly buffer: LogBuffer;
  private options: LayoutOptions = { columns: null, streams: null };
  private mask = 7;
  private layouts: ChunkLayout[] = [];
  private starts: number[] = [];
  /** Rows of lines that were measured because their width cannot be computed. */
  private readonly measured = new Map<number, number>();
  private measuredIn = new Map<number, number>();

  constructor(buffer: LogBuffer) {
    this.buffer = buffer;
  }

  /** Brings the layout up to date with the buffer and these options. */
  update(options: LayoutOptions): void {
    if (options.columns !== this.options.columns) this.forgetMeasured();
    this.options = options;
    this.mask = options.streams === null ? 7 : [...options.streams].reduce((sum, s) => sum | (1 << STREAM_INDEX[s]), 0);
    const count = this.buffer.chunkCount;
    this.layouts.length = Math.min(this.layouts.length, count);
    let row = 0;
    let lines = 0;
    for (let index = 0; index < count; index += 1) {
      this.starts[index] = row;
      const layout = this.layoutOf(index);
      row += layout.rows;
      lines += layout.count;
    }
    this.starts.length = count;
    this.totalRows = row;
    this.totalLines = lines;
  }

  /** Says how many rows a line really takes. Returns whether that is news. */
  measure(n: number, rows: number): boolean {
    if (this.options.columns === null || this.item(n)?.rows === rows) return false;
    this.measured.set(n, rows);
    this.measuredIn.set(chunkOf(n), (this.measuredIn.get(chunkOf(n)) ?? 0) + 1);
    return true;
  }

  /** The row of a line, or of the next one that is shown after it. */
  rowOf(n: number): number {
    const index = chunkOf(n);
    const layout = this.layouts[index];
    if (layout === undefined) return n < 1 ? 0 : this.totalRows;
    return (this.starts[index] ?? 0) + topIn(layout, positionIn(layout, slotOf(n)));
  }

  /** The item of a line; null when it is not shown. */
  item(n: number): LogItem | null {
    const index = chunkOf(n);
    const layout = this.layouts[index];
    if (layout === undefined || n > this.buffer.total) return null;
    const position = positionIn(layout, slotOf(n));
    const item = this.itemAt(index, layout, position);
    return item?.n === n ? item : null;
  }

  /** The items that cover the rows from `from` up to, not including, `to`. */
  items(from: number, to: number): LogItem[] {
    const items: LogItem[] = [];
    let index = this.chunkAtRow(from);
    for (; index < this.layouts.length; index += 1) {
      const layout = this.layouts[index];
      const start = this.starts[index] ?? 0;
      if (layout === undefined || start >= to) break;
      for (let at = positionAtRow(layout, Math.max(0, from - start)); at < layout.count; at += 1) {
        if (start + topIn(layout, at) >= to) return items;
        const item = this.itemAt(index, layout, at);
        if (item !== null) items.push(item);
      }
    }
    return items;
  }

  /** How many shown lines come before this one. */
  positionOf(n: number): number {
    const index = chunkOf(n);
    let position = 0;
    for (let at = 0; at < index; at += 1) position += this.layouts[at]?.count ?? 0;
    const layout = this.layouts[index];
    return position + (layout === undefined ? 0 : positionIn(layout, slotOf(n)));
  }

  private itemAt(index: number, layout: ChunkLayout, position: number): LogItem | null {
    if (position >= layout.count) return null;
    const slot = layout.shown === null ? position : (layout.shown[position] ?? 0);
    const n = lineAt(index, slot);
    const top = topIn(layout, position);
    const rows = topIn(layout, position + 1) - top;
    return { n, row: (this.starts[index] ?? 0) + top, rows, missing: !this.buffer.has(n) };
  }

  private chunkAtRow(row: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] ?? 0) <= row) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  private layoutOf(index: number): ChunkLayout {
    const count = this.buffer.linesIn(index);
    const version = this.buffer.chunk(index)?.version ?? -1;
    const key = `${version} ${count} ${this.options.columns} ${this.mask} ${this.measuredIn.get(index) ?? 0}`;
    const known = this.layouts[index];
    if (known?.key === key) return known;
    const layout = this.build(index, count, key);
    this.layouts[index] = layout;
    return layout;
  }

  private build(index: number, lines: number, key: string): ChunkLayout {
    const chunk = this.buffer.chunk(index);
    let shown: Uint16Array | null = null;
    if (this.mask !== 7) {
      const slots = new Uint16Array(lines);
      let count = 0;
      let gap = false;
      for (let slot = 0; slot < lines; slot += 1) {
        if (chunk?.has(slot)) {
          gap = false;
          if (this.mask & (1 << chunk.stream(slot))) slots[count++] = slot;
        } else if (!gap) {
          // One place stands for a run of unloaded lines: how many of them are shown is not known yet.
          gap = true;
          slots[count++] = slot;
        }
      }
      shown = slots.slice(0, count);
    }
    const count = shown?.length ?? lines;
    const columns = this.options.columns;
    if (columns === null || chunk === undefined) return { key, shown, count, tops: null, rows: count };
    const tops = new Uint32Array(count + 1);
    let top = 0;
    for (let at = 0; at < count; at += 1) {
      const slot = shown?.[at] ?? at;
      tops[at] = top;
      const measured = this.measuredIn.has(index) ? this.measured.get(lineAt(index, slot)) : undefined;
      top += measured ?? Math.max(1, Math.ceil(Math.min(chunk.cells(slot), DRAWN_CELLS) / columns));
    }
    tops[count] = top;
    return { key, shown, count, tops: top === count ? null : tops, rows: top };
  }

  private forgetMeasured(): void {
    this.measured.clear();
    this.measuredIn = new Map();
  }
}

/** A longer line is cut when it is drawn, with a word about it; raw and download have it whole. */
export const DRAWN_CELLS = 20_000;

const topIn = (layout: ChunkLayout, position: number): number =>
  layout.tops === null ? position : (layout.tops[position] ?? layout.rows);

/** Position of a slot among the shown ones, or of the next that is shown. */
function positionIn(layout: ChunkLayout, slot: number): number {
  const shown = layout.shown;
  if (shown === null) return Math.min(slot, layout.count);
  let low = 0;
  let high = shown.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((shown[middle] ?? CHUNK) < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Position of the line that covers a row of the chunk. */
function positionAtRow(layout: ChunkLayout, row: number): number {
  if (layout.tops === null) return Math.min(row, layout.count);
  let low = 0;
  let high = layout.count;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((layout.tops[middle] ?? layout.rows) <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}
