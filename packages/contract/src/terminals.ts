/**
 * How a terminal of a sandbox is spoken with: `GET /api/drivers/terminal?execution=e_…`, upgraded to a WebSocket with the subprotocol
 * `hangar.terminal.v1`. The execution was started with `terminal`; it goes on whoever looks, and ends with its program.
 *
 * From the server
 *   binary   8 bytes big-endian: where in the output of the terminal the bytes behind them begin; then these bytes. Each frame begins where
 *            the one before ended.
 *   text     JSON, `TerminalSaid`. `ready` is the first but for `away`, `back` and `error`; no output comes before it.
 * To the server
 *   binary   bytes that are typed, in order, at most TERMINAL_FRAME_MOST a frame. They count from the first that this `writer` ever sent:
 *            `ready` tells how many of them the terminal has, what comes then goes on there, and `taken` acknowledges. Who keeps what is
 *            not acknowledged sends it again after a break, and nothing is typed twice or lost.
 *   text     JSON, `TerminalAsk`.
 *
 * No schema in here: pages and commands load it.
 */
export const TERMINAL_PROTOCOL = 'hangar.terminal.v1';

/** Of a client; what is longer closes the socket. */
export const TERMINAL_FRAME_MOST = 64 * 1024;
/** A client has no more than this unacknowledged on its way; more closes the socket. */
export const TERMINAL_INPUT_MOST = 256 * 1024;
/** Without `after`, so much of the end of the output comes. */
export const TERMINAL_TAIL = 256 * 1024;
/** So much output comes beyond what the client has said that it has seen: what it cannot show yet waits in the machine. */
export const TERMINAL_AHEAD_MOST = 1024 * 1024;
/**
 * The server says `alive` and pings so often. A peer from whom nothing has come for TERMINAL_DEAD_MS, answers of pings included, is gone:
 * so the server closes the socket, and so does a client.
 */
export const TERMINAL_ALIVE_MS = 10_000;
export const TERMINAL_DEAD_MS = 25_000;

/** Codes with which the server closes. With any other, and with none, the client comes again. */
export const TERMINAL_CLOSE = {
  /** `end` was said before it. */
  ended: 1000,
  /** The server is about to stop: the client comes again, with `after`. */
  goingAway: 1001,
  /** What the client sent is not this protocol: `error` says why. */
  notUnderstood: 4400,
  /** Signed out, disabled, with a key that was revoked, or a token whose time is over: who comes again is told by the answer. */
  shutOut: 4401,
  /** `error` says why; the same would be refused again. */
  refused: 4403,
} as const;

/** What becomes of its execution. Written out, because what reads it loads no schema. */
export interface TerminalEnd {
  readonly id: string;
  readonly state: 'succeeded' | 'failed' | 'cancelled' | 'timed_out' | 'lost';
  /** Null where a signal ended it, or nobody knows. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string;
}

export type TerminalSaid =
  /** Output begins at `offset`; the terminal has `taken` bytes of this writer. The size is what the terminal has now. */
  | {
      readonly type: 'ready';
      readonly offset: number;
      readonly taken: number;
      readonly columns?: number;
      readonly rows?: number;
    }
  /** So many bytes of this writer are in the terminal, in all. */
  | { readonly type: 'taken'; readonly bytes: number }
  /** The way from the server to the machine broke, or is not there yet: it is mended by itself, and typing waits. */
  | { readonly type: 'away'; readonly why: string }
  | { readonly type: 'back' }
  /** Nothing but a sign of life, because pages see no pings. */
  | { readonly type: 'alive' }
  /** After the last output. A close follows. */
  | { readonly type: 'end'; readonly execution: TerminalEnd }
  /** A code of docs/errors.md. A close follows, which tells whether to come again. */
  | { readonly type: 'error'; readonly code: string; readonly message: string; readonly wayOut: string };

export type TerminalAsk =
  /** Output before this byte is shown, so that more may come; see TERMINAL_AHEAD_MOST. */
  | { readonly type: 'seen'; readonly offset: number }
  | { readonly type: 'size'; readonly columns: number; readonly rows: number }
  /** Programs that fill the screen paint it again. By itself the server does it where output begins in the middle. */
  | { readonly type: 'redraw' };

/**
 * The shell of whoever works in the machine, found out there: as the account has it where that is more than sh, else bash, else sh. It is
 * none that signs in: their profiles put the PATH of an image back to what the distribution thinks.
 */
export const OWN_SHELL: { readonly shell: string } = {
  shell: [
    'u=$(id -un 2>/dev/null)',
    'p=$( (getent passwd "$u" || grep "^$u:" /etc/passwd) 2>/dev/null | head -n 1 | cut -d: -f7)',
    'for s in "$SHELL" "$p" "$(command -v bash)"; do',
    '  case $s in ""|*/sh|*/false|*/true|*/nologin) continue;; esac',
    '  [ -x "$s" ] || continue',
    '  SHELL=$s; export SHELL; exec "$s"',
    'done',
    'exec sh',
  ].join('\n'),
};

/** Of `TerminalAsk`, as the server takes it. */
export const TERMINAL_SIZE = { least: 2, most: 1000 } as const;

export function terminalFrame(offset: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(8 + bytes.length);
  new DataView(frame.buffer).setBigUint64(0, BigInt(offset));
  frame.set(bytes, 8);
  return frame;
}

/** @throws SyntaxError for what is no frame */
export function readTerminalFrame(frame: Uint8Array): { offset: number; bytes: Uint8Array } {
  if (frame.length < 8) throw new SyntaxError('a frame of a terminal has 8 bytes and more');
  const offset = Number(new DataView(frame.buffer, frame.byteOffset, 8).getBigUint64(0));
  if (!Number.isSafeInteger(offset)) throw new SyntaxError('the offset of a frame is too large');
  return { offset, bytes: frame.subarray(8) };
}
