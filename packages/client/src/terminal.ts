import { HangarError, isErrorCode } from '@hangar/contract/errors';
import {
  readTerminalFrame,
  TERMINAL_AHEAD_MOST,
  TERMINAL_CLOSE,
  TERMINAL_DEAD_MS,
  TERMINAL_FRAME_MOST,
  TERMINAL_INPUT_MOST,
  type TerminalAsk,
  type TerminalEnd,
  type TerminalSaid,
} from '@hangar/contract/terminals';
import type { BackOff } from './back-off.ts';
import { InputOnItsWay } from './terminal-input.ts';

/** As much of a WebSocket as is used: that of a browser, and that of `ws`. Nothing has come over it when it is handed over. */
export interface TerminalSocket {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

export type TerminalState =
  /** What is typed arrives. */
  | { readonly kind: 'open' }
  /** The way from here to the server broke, or is not there yet; it is tried again by itself. */
  | { readonly kind: 'lost' }
  /** The server is there, its way to the machine is not. */
  | { readonly kind: 'away'; readonly why: string };

export interface TerminalOptions {
  /** The id of an execution that was started with a terminal. */
  readonly execution: string;
  /**
   * Makes a socket for this path under /api, with the subprotocol TERMINAL_PROTOCOL. What it throws goes to the back-off: browsers do not
   * tell why a server refused one, so whoever opens there may ask for the execution first.
   */
  readonly connect: (path: string, signal: AbortSignal) => TerminalSocket | Promise<TerminalSocket>;
  /** Leaves the terminal, which goes on. */
  readonly signal: AbortSignal;
  readonly backOff: BackOff;
  /** Output before this byte is here already. When left out, the end of the output comes first. */
  readonly after?: number;
  readonly size?: TerminalSize;
  /** Shows bytes. No more comes than has been shown: a promise is waited for. */
  readonly onOutput: (bytes: Uint8Array) => void | Promise<void>;
  /** A connection stands. `gap`: what comes now does not go on where the output was left, so the screen is to be emptied. */
  readonly onReady?: (ready: { readonly offset: number; readonly gap: boolean }) => void;
  readonly onState?: (state: TerminalState) => void;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface TerminalConnection {
  /** Once its program has ended and all output is shown. Rejects with what the back-off does not wait out, or why it was left. */
  readonly ended: Promise<TerminalEnd>;
  /** Types bytes, also while there is no connection. False: more waits than is sent at once, see `drained`. */
  write(bytes: Uint8Array): boolean;
  /** Once there is room for more. */
  drained(): Promise<void>;
  resize(size: TerminalSize): void;
  /** Programs that fill the screen paint it again. */
  redraw(): void;
}

/** Opens the terminal of an execution and stays with it through breaks: each byte of output comes once, and each typed byte goes in once. */
export function openTerminal(o: TerminalOptions): TerminalConnection {
  const input = new InputOnItsWay(TERMINAL_FRAME_MOST, TERMINAL_INPUT_MOST);
  const writer = randomName();
  const left = new AbortController();
  const signal = AbortSignal.any([o.signal, left.signal]);
  let at = o.after ?? null;
  let size = o.size ?? null;
  /** The socket that is ready for what is typed. */
  let ready: TerminalSocket | null = null;
  /** What is shown comes one after the other, over connections too. */
  let showing: Promise<void> = Promise.resolve();
  let state: TerminalState | null = null;

  const ask = (socket: TerminalSocket | null, asked: TerminalAsk) => socket?.send(JSON.stringify(asked));
  const send = () => {
    if (ready !== null) for (const frame of input.take()) ready.send(frame);
  };
  const be = (next: TerminalState) => {
    if (state?.kind === next.kind && next.kind !== 'away') return;
    state = next;
    o.onState?.(next);
  };

  /** One connection, up to its end: of the terminal, or thrown. */
  async function once(): Promise<TerminalEnd> {
    const query = new URLSearchParams({ execution: o.execution, writer, ...(at === null ? {} : { after: `${at}` }) });
    const socket = await o.connect(`/drivers/terminal?${query}`, signal);
    socket.binaryType = 'arraybuffer';
    const over = new AbortController();
    let settled = (): void => undefined;
    let silence: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise<TerminalEnd>((resolve, reject) => {
        let refusal: HangarError | null = null;
        let end: TerminalEnd | null = null;
        /** Told to the server. */
        let seen = at ?? 0;
        const fail = (error: unknown) => reject(error);
        const alive = () => {
          clearTimeout(silence);
          silence = setTimeout(() => fail(lost('nothing came for a while')), TERMINAL_DEAD_MS);
        };
        const show = (offset: number, bytes: Uint8Array) => {
          const known = (at ?? offset) - offset;
          if (known < 0) return fail(lost(`bytes ${at} to ${offset} are missing`));
          if (known >= bytes.length) return;
          at = offset + bytes.length;
          const until = at;
          showing = showing.then(async () => {
            if (signal.aborted) return;
            await o.onOutput(bytes.subarray(known));
            if (until - seen < TERMINAL_AHEAD_MOST / 8 || ready !== socket) return;
            seen = until;
            ask(socket, { type: 'seen', offset: until });
          });
          showing.catch(fail);
        };
        const hear = (said: TerminalSaid) => {
          if (said.type === 'ready') {
            o.backOff.progress();
            const gap = at !== null && at !== said.offset;
            at = said.offset;
            seen = said.offset;
            input.goOn(said.taken);
            ready = socket;
            o.onReady?.({ offset: said.offset, gap });
            if (size !== null) ask(socket, { type: 'size', ...size });
            be({ kind: 'open' });
            send();
          } else if (said.type === 'taken') {
            input.taken(said.bytes);
            send();
          } else if (said.type === 'away') be({ kind: 'away', why: said.why });
          else if (said.type === 'back') be({ kind: 'open' });
          else if (said.type === 'end') end = said.execution;
          else if (said.type === 'error') refusal = errorOf(said);
        };
        signal.addEventListener('abort', () => fail(signal.reason), { once: true, signal: over.signal });
        if (signal.aborted) fail(signal.reason);
        alive();
        socket.onopen = () => {
          settled = o.backOff.opened();
          alive();
        };
        socket.onerror = () => undefined;
        socket.onmessage = ({ data }: { readonly data: unknown }) => {
          alive();
          try {
            if (typeof data === 'string') return hear(JSON.parse(data) as TerminalSaid);
            const { offset, bytes } = readTerminalFrame(new Uint8Array(data as ArrayBuffer));
            show(offset, bytes);
          } catch (cause) {
            fail(notUnderstood(cause));
          }
        };
        socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) => {
          // What is typed from here on has not been sent.
          if (ready === socket) ready = null;
          if (end !== null) resolve(end);
          else if (LASTING.has(code)) fail(new Lasting(refusal ?? errorOfClose(code, reason)));
          else fail(refusal ?? lost(reason === '' ? 'the connection closed' : reason));
        };
      });
    } finally {
      clearTimeout(silence);
      settled();
      over.abort();
      if (ready === socket) ready = null;
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  async function follow(): Promise<TerminalEnd> {
    for (;;) {
      try {
        const end = await once();
        await showing;
        return end;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Lasting) throw error.why;
        be({ kind: 'lost' });
        await o.backOff.again(error);
      }
    }
  }

  const ended = follow().finally(() => {
    left.abort();
    input.end();
  });
  ended.catch(() => undefined);
  return {
    ended,
    write(bytes) {
      if (left.signal.aborted) return true;
      const hasRoom = input.add(bytes);
      send();
      return hasRoom;
    },
    drained: () => input.drained(),
    resize(next) {
      size = next;
      ask(ready, { type: 'size', ...next });
    },
    redraw: () => ask(ready, { type: 'redraw' }),
  };
}

/** Whoever was shut out may only have a token whose time is over: the answer to the next try tells. */
const LASTING: ReadonlySet<number> = new Set([TERMINAL_CLOSE.notUnderstood, TERMINAL_CLOSE.refused]);

/** No other try would mend it. */
class Lasting {
  readonly why: HangarError;
  constructor(why: HangarError) {
    this.why = why;
  }
}

const errorOf = ({ code, message, wayOut }: Extract<TerminalSaid, { type: 'error' }>): HangarError =>
  new HangarError(isErrorCode(code) ? code : 'bad_request', { message, wayOut });

const errorOfClose = (code: number, reason: string): HangarError =>
  new HangarError('bad_request', { message: reason === '' ? `The server closed it with ${code}.` : reason });

const lost = (reason: string): HangarError => new HangarError('server_unreachable', { details: { reason } });

const notUnderstood = (cause: unknown): HangarError =>
  new HangarError('server_unreachable', {
    message: 'What the server says of the terminal is not understood.',
    details: { reason: 'what came is not understood' },
    cause,
  });

const randomName = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
