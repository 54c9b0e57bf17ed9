import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

const MEMORY_BYTES = 2 * 1024 * 1024;
const SEGMENT_BYTES = 16 * 1024 * 1024;

interface Segment {
  readonly file: string;
  readonly handle: FileHandle;
  size: number;
  /** Entries not yet acknowledged. */
  held: number;
}

interface Entry {
  readonly seq: number;
  readonly length: number;
  bytes: Buffer | null;
  readonly segment: Segment | null;
  readonly offset: number;
}

/**
 * Batches that wait for their acknowledgement, in order: the first 2 MB in memory, what is beyond on disk, so a long outage
 * costs disk and not memory. When the disk refuses, `push` waits until there is room in memory again.
 */
export class Spool {
  readonly #dir: string;
  #entries: Entry[] = [];
  #memory = 0;
  #segment: Segment | null = null;
  #count = 0;
  #roomWaiters: (() => void)[] = [];

  constructor(dir: string) {
    this.#dir = dir;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** One call at a time. */
  async push(seq: number, bytes: Buffer, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#memory === 0 || this.#memory + bytes.length <= MEMORY_BYTES) {
        this.#memory += bytes.length;
        this.#entries.push({ seq, length: bytes.length, bytes, segment: null, offset: 0 });
        return;
      }
      const place = await this.#spill(bytes);
      if (place) {
        this.#entries.push({ seq, length: bytes.length, bytes: null, ...place });
        return;
      }
      await new Promise<void>((resolve) => {
        this.#roomWaiters.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  async first(): Promise<{ seq: number; bytes: Buffer } | null> {
    const entry = this.#entries[0];
    if (!entry) return null;
    if (entry.bytes) return { seq: entry.seq, bytes: entry.bytes };
    const bytes = Buffer.alloc(entry.length);
    let read = 0;
    while (read < entry.length) {
      const part = await entry.segment?.handle.read(bytes, read, entry.length - read, entry.offset + read);
      if (!part?.bytesRead) throw new Error(`Spool ends in the middle of batch ${entry.seq}`);
      read += part.bytesRead;
    }
    return { seq: entry.seq, bytes };
  }

  async acknowledge(seq: number): Promise<void> {
    let gone = 0;
    for (const entry of this.#entries) {
      if (entry.seq > seq) break;
      gone++;
      if (entry.bytes) this.#memory -= entry.length;
      if (entry.segment && --entry.segment.held === 0) await this.#drop(entry.segment);
    }
    this.#entries.splice(0, gone);
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }

  async close(): Promise<void> {
    const segments = new Set(this.#entries.flatMap((entry) => (entry.segment ? [entry.segment] : [])));
    if (this.#segment) segments.add(this.#segment);
    this.#entries = [];
    for (const segment of segments) await this.#drop(segment);
  }

  async #spill(bytes: Buffer): Promise<{ segment: Segment; offset: number } | null> {
    let segment: Segment | null = null;
    try {
      segment = await this.#hold();
      const offset = segment.size;
      let written = 0;
      while (written < bytes.length)
        written += (await segment.handle.write(bytes, written, bytes.length - written, offset + written)).bytesWritten;
      segment.size += bytes.length;
      return { segment, offset };
    } catch {
      if (segment && --segment.held === 0) await this.#drop(segment);
      return null;
    }
  }

  /** The segment to write to, held before the write so that an acknowledgement meanwhile does not remove it. */
  async #hold(): Promise<Segment> {
    if (this.#segment && this.#segment.size < SEGMENT_BYTES) {
      this.#segment.held++;
      return this.#segment;
    }
    // Not its parents: a work folder that somebody removed stays gone.
    await mkdir(this.#dir, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const file = join(this.#dir, `log-${++this.#count}`);
    this.#segment = { file, handle: await open(file, 'w+', 0o600), size: 0, held: 1 };
    return this.#segment;
  }

  async #drop(segment: Segment): Promise<void> {
    if (this.#segment === segment) this.#segment = null;
    await segment.handle.close().catch(() => undefined);
    await rm(segment.file, { force: true });
  }
}
