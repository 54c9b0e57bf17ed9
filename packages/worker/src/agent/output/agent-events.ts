import { type FileHandle, open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import type { AgentOutput, Usage } from '@hangar/contract';
import { LineReader } from '../../log/lines.ts';
import type { Masker } from '../../mask/mask.ts';
import type { MaskStream } from '../../mask/mask-stream.ts';
import { claudeEvents } from './claude.ts';
import { codexEvents } from './codex.ts';
import type { EventFormat } from './event.ts';
import { geminiEvents } from './gemini.ts';
import { opencodeEvents } from './opencode.ts';
import { usageOf } from './usage.ts';

/** A longer line is no event any more: it goes to the log in pieces. */
const MAX_EVENT = 4 * 1024 * 1024;

/** What kind of event it is, by which it is read, is a word of the format. Such words are masked only where they are shown. */
const KIND_KEYS: ReadonlySet<string> = new Set(['type', 'subtype', 'status', 'role']);
const KIND = /^[a-z][a-z_.]{0,39}$/;

const FORMATS: Readonly<Record<AgentOutput, (tree: string) => EventFormat>> = {
  claude: claudeEvents,
  codex: codexEvents,
  gemini: geminiEvents,
  opencode: opencodeEvents,
};

/**
 * Standard output of an agent that prints events → masked log lines that people read. What is no event it knows is passed on
 * as it is, so nothing is lost. All of it is kept, masked, in a file of at most `maxBytes`.
 */
export class AgentEvents {
  readonly #format: EventFormat;
  readonly #masker: Masker;
  readonly #decoder = new StringDecoder('utf8');
  /** Cuts and masks what goes to the log. */
  readonly #lines: LineReader;
  /** Masks of the file what is too long for an event. */
  readonly #long: MaskStream;
  #pieces: string[] = [];
  #size = 0;
  /** Inside a line that is too long for an event. */
  #passing = false;
  readonly #raw: RawFile;
  usage: Usage | null = null;
  refused = false;

  constructor(o: { output: AgentOutput; tree: string; masker: Masker; file: string; maxBytes: number }) {
    this.#format = FORMATS[o.output](o.tree);
    this.#masker = o.masker;
    this.#lines = new LineReader(o.masker);
    this.#long = o.masker.stream();
    this.#raw = new RawFile(o.file, o.maxBytes);
  }

  /** @returns lines for the log */
  async push(chunk: Buffer): Promise<string[]> {
    return this.#take(this.#decoder.write(chunk));
  }

  /** What is left, and what the agent has to say at its end. */
  async end(): Promise<string[]> {
    const lines = await this.#take(`${this.#decoder.end()}`);
    if (this.#size > 0 || this.#passing) lines.push(...(await this.#take('\n')));
    lines.push(...this.#say(this.#format.end()), ...this.#lines.end());
    await this.#raw.close();
    return lines;
  }

  /** As of LineReader. */
  get holds(): boolean {
    return this.#lines.holds;
  }
  release(): string[] {
    return this.#lines.release();
  }

  /** Bytes in the file; `cut` when there would have been more. */
  get kept(): { readonly bytes: number; readonly cut: boolean } {
    return { bytes: this.#raw.bytes, cut: this.#raw.cut };
  }

  async #take(text: string): Promise<string[]> {
    const lines: string[] = [];
    let raw = '';
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      const piece = text.slice(from, end);
      from = end + 1;
      if (this.#passing) {
        raw += `${[...this.#long.push(piece, true), ...this.#long.end()].join('')}\n`;
        lines.push(...this.#lines.push(Buffer.from(`${piece}\n`)));
        this.#passing = false;
        continue;
      }
      const line = this.#pieces.length === 0 ? piece : this.#pieces.join('') + piece;
      this.#pieces = [];
      this.#size = 0;
      raw += `${this.#masker.mask(line)}\n`;
      for (const said of this.#event(line)) lines.push(said);
    }
    if (from < text.length) this.#pieces.push(text.slice(from));
    this.#size += text.length - from;
    if (this.#passing || this.#size > MAX_EVENT) {
      this.#passing = true;
      const piece = this.#pieces.join('');
      this.#pieces = [];
      this.#size = 0;
      raw += this.#long.push(piece, false).join('');
      lines.push(...this.#lines.push(Buffer.from(piece)));
    }
    if (raw !== '') await this.#raw.write(raw);
    return lines;
  }

  #event(line: string): string[] {
    if (line.trim() === '') return [];
    const heard = this.#parse(line);
    if (heard === null) return this.#say([line]);
    if (heard.refused) this.refused = true;
    this.usage = usageOf(heard.usage) ?? this.usage;
    return this.#say(heard.lines);
  }

  #parse(line: string) {
    if (!line.trimStart().startsWith('{')) return null;
    try {
      // Masked before anything is cut: half a secret would not be recognised. Nesting without end ends as a RangeError here.
      const event: unknown = JSON.parse(line, (key, value: unknown) =>
        typeof value !== 'string' || (KIND_KEYS.has(key) && KIND.test(value)) ? value : this.#masker.mask(value),
      );
      return typeof event === 'object' && event !== null ? this.#format.read(event as Record<string, unknown>) : null;
    } catch {
      return null;
    }
  }

  #say(lines: readonly string[]): string[] {
    return lines.length === 0 ? [] : this.#lines.push(Buffer.from(`${lines.join('\n')}\n`));
  }
}

/** Takes text up to a number of bytes, whole writes only. */
class RawFile {
  readonly #path: string;
  readonly #max: number;
  #file: FileHandle | null = null;
  bytes = 0;
  cut = false;

  constructor(path: string, max: number) {
    this.#path = path;
    this.#max = max;
  }

  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    if (this.cut || this.bytes + bytes.length > this.#max) {
      this.cut = true;
      return;
    }
    try {
      this.#file ??= await open(this.#path, 'w', 0o600);
      await this.#file.appendFile(bytes);
      this.bytes += bytes.length;
    } catch {
      // A full disk ends the job in its own words; the events are not what it fails for.
      this.cut = true;
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }
}
