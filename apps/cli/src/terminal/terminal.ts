import type { Writable } from 'node:stream';
import { formatSeconds } from '@hangar/contract/words/time';
import { clean } from './ansi.ts';
import { table } from './words.ts';

export type Paint = (text: string) => string;
export interface Palette {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
}

export interface Progress {
  /** Replaces the line. */
  update(text: string): void;
  /** Removes the line; call it before anything else is printed. */
  done(): void;
}

/** stdout carries data and nothing else; everything for people goes to stderr. */
export interface Terminal {
  /** A line of data. */
  out(line?: string): void;
  /** Lines of data with columns beside each other. */
  rows(rows: readonly (readonly string[])[]): void;
  /** Data as it is; resolves when the reader has kept up. */
  write(data: string | Uint8Array): Promise<void>;
  /** The same on stderr, for log lines that are told apart. */
  writeErr(data: string | Uint8Array): Promise<void>;
  json(value: unknown): void;
  /** Something worth knowing; silent with --quiet. */
  note(line: string): void;
  /** Something that must be seen, --quiet or not. */
  warn(line: string): void;
  /** The one line that says what to type next. */
  next(...commands: string[]): void;
  /** A line that moves on a terminal; shown after one second, never with --quiet or on a pipe. */
  progress(text: string): Progress;
  readonly quiet: boolean;
  readonly jsonMode: boolean;
  readonly columns: number;
  readonly outIsTerminal: boolean;
  /** Whoever read stdout has gone (| head). */
  readonly outIsGone: boolean;
  readonly errIsTerminal: boolean;
  /** Colours of stdout and of stderr; both leave text alone where there is no terminal or NO_COLOR is set. */
  readonly color: Palette;
  readonly errColor: Palette;
}

export type OutputStream = Writable & { isTTY?: boolean; columns?: number };

export interface TerminalOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly quiet: boolean;
  readonly json: boolean;
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export function createTerminal({ stdout, stderr, env, quiet, json }: TerminalOptions): Terminal {
  const mayColor = !env.NO_COLOR && env.TERM !== 'dumb';
  const errIsTerminal = stderr.isTTY === true;
  const outIsTerminal = stdout.isTTY === true;
  const columns = Math.max(40, outIsTerminal ? (stdout.columns ?? 80) : Number(env.COLUMNS) || 80);
  const errColor = palette(mayColor && errIsTerminal);
  let current: { redraw(): void; clear(): void } | null = null;
  let outIsGone = false;
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') outIsGone = true;
  });

  const sayLine = (line: string) => {
    current?.clear();
    stderr.write(`${harmless(line)}\n`);
    current?.redraw();
  };

  const out = (line = '') => {
    if (outIsTerminal) current?.clear();
    stdout.write(`${harmless(line)}\n`);
  };

  return {
    quiet,
    jsonMode: json,
    columns,
    outIsTerminal,
    get outIsGone() {
      return outIsGone;
    },
    errIsTerminal,
    color: palette(mayColor && outIsTerminal),
    errColor,
    out,
    rows: (rows) => {
      for (const line of table(rows, columns)) out(line);
    },
    write: (data) => {
      if (outIsTerminal) current?.clear();
      return drained(stdout, data);
    },
    writeErr: (data) => {
      current?.clear();
      return drained(stderr, data);
    },
    json: (value) => void stdout.write(`${plainJson(JSON.stringify(value, null, 2))}\n`),
    note: (line) => {
      if (!quiet) sayLine(line);
    },
    warn: (line) => sayLine(`${errColor.yellow('Note:')} ${line}`),
    next: (...commands) => {
      if (quiet || json) return;
      // One line: what does not fit any more is left out, the most likely comes first.
      const room = errIsTerminal ? (stderr.columns ?? 80) : Number.POSITIVE_INFINITY;
      let shown = commands.length;
      while (shown > 1 && `Next: ${commands.slice(0, shown).join('   or   ')}`.length > room) shown -= 1;
      sayLine(`${errColor.dim('Next:')} ${commands.slice(0, shown).join(errColor.dim('   or   '))}`);
    },
    progress: (text) => {
      if (quiet || !errIsTerminal) return { update: () => {}, done: () => {} };
      const started = Date.now();
      let label = text;
      let drawn = false;
      const clear = () => {
        if (drawn) stderr.write('\r\u001b[K');
        drawn = false;
      };
      const redraw = () => {
        const elapsed = Date.now() - started;
        if (elapsed < 1000) return;
        const wheel = SPINNER[Math.floor(elapsed / 120) % SPINNER.length] ?? '';
        const width = Math.max(20, (stderr.columns ?? 80) - 1);
        const line = `${wheel} ${label} (${formatSeconds(elapsed / 1000)})`;
        stderr.write(`\r\u001b[K${line.length > width ? `${line.slice(0, width - 1)}…` : line}`);
        drawn = true;
      };
      const timer = setInterval(redraw, 120);
      timer.unref();
      current = { redraw, clear };
      return {
        update: (updated) => {
          label = updated;
        },
        done: () => {
          clearInterval(timer);
          clear();
          current = null;
        },
      };
    },
  };
}

/** Names and messages come from repositories and agents: of all they could do to a terminal only colours are left. */
const harmless = (text: string): string =>
  text
    .split('\n')
    .map((line) => clean(line, true))
    .join('\n');

/** JSON lets through what some terminals obey: control characters above ASCII, and those that turn text around. */
export const plainJson = (json: string): string =>
  json.replace(
    /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

function drained(stream: OutputStream, data: string | Uint8Array): Promise<void> {
  if (stream.write(data)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

function palette(on: boolean): Palette {
  const paint = (open: number, close: number): Paint =>
    on ? (text) => `\u001b[${open}m${text}\u001b[${close}m` : (text) => text;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    blue: paint(34, 39),
  };
}
