import {
  HangarError,
  TERMINAL_AHEAD_MOST,
  TERMINAL_ALIVE_MS,
  TERMINAL_CLOSE,
  TERMINAL_DEAD_MS,
  TERMINAL_FRAME_MOST,
  TERMINAL_SIZE,
  type TerminalAsk,
  type TerminalEnd,
  type TerminalSaid,
  terminalFrame,
} from '@hangar/contract';
import { z } from 'zod';
import type { WebSocket } from '../../../platform/http/web-sockets.ts';

/** Who looks at a terminal and types into it, behind one socket. */
export interface Peer {
  /** Over when the socket is. */
  readonly signal: AbortSignal;
  say(said: TerminalSaid): void;
  /** Output begins here. */
  begin(offset: number): void;
  /** Resolves when more may come: once the peer has seen enough of it, or is gone. */
  show(offset: number, bytes: Uint8Array): Promise<void>;
  end(execution: TerminalEnd): void;
  refuse(error: HangarError, code: number): void;
}

/** What it does. */
export interface PeerHeard {
  typed(bytes: Uint8Array): void;
  asked(ask: Exclude<TerminalAsk, { type: 'seen' }>): void;
}

const side = z.number().int().min(TERMINAL_SIZE.least).max(TERMINAL_SIZE.most);
const Ask = z.discriminatedUnion('type', [
  z.object({ type: z.literal('seen'), offset: z.number().int().min(0) }),
  z.object({ type: z.literal('size'), columns: side, rows: side }),
  z.object({ type: z.literal('redraw') }),
]) satisfies z.ZodType<TerminalAsk>;

export function createPeer(socket: WebSocket, heard: PeerHeard): Peer {
  const gone = new AbortController();
  let seen = 0;
  let sent = 0;
  let more = (): void => undefined;
  let lastHeard = performance.now();
  const alive = () => {
    lastHeard = performance.now();
  };
  const say = (said: TerminalSaid) => socket.send(JSON.stringify(said));
  const refuse = (error: HangarError, code: number) => {
    const { message, wayOut } = error;
    say({ type: 'error', code: error.code, message, wayOut });
    socket.close(code);
  };

  const beating = setInterval(() => {
    const reads = socket.bufferedAmount < 2 * TERMINAL_AHEAD_MOST;
    if (!reads || performance.now() - lastHeard > TERMINAL_DEAD_MS) return socket.terminate();
    socket.ping();
    say({ type: 'alive' });
  }, TERMINAL_ALIVE_MS);
  socket.on('pong', alive);
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    alive();
    // What comes behind a close is still read.
    if (gone.signal.aborted || socket.readyState !== socket.OPEN) return;
    if (isBinary) return heard.typed(data);
    const asked = Ask.safeParse(jsonOf(data));
    if (!asked.success) return refuse(notUnderstood('A text frame is none of its asks.'), TERMINAL_CLOSE.notUnderstood);
    if (asked.data.type !== 'seen') return heard.asked(asked.data);
    seen = Math.min(sent, Math.max(seen, asked.data.offset));
    more();
  });
  socket.once('close', () => {
    clearInterval(beating);
    gone.abort(new HangarError('connection_lost', { message: 'Who looked at the terminal has left.' }));
    more();
  });

  return {
    ...{ signal: gone.signal, say, refuse },
    begin(offset) {
      seen = offset;
      sent = offset;
    },
    async show(offset, bytes) {
      for (let from = 0; from < bytes.length; from += TERMINAL_FRAME_MOST) {
        const piece = bytes.subarray(from, from + TERMINAL_FRAME_MOST);
        socket.send(terminalFrame(offset + from, piece));
        sent = offset + from + piece.length;
        while (sent - seen >= TERMINAL_AHEAD_MOST && !gone.signal.aborted)
          await new Promise<void>((resolve) => {
            more = resolve;
          });
      }
    },
    end(execution) {
      say({ type: 'end', execution });
      socket.close(TERMINAL_CLOSE.ended);
    },
  };
}

export const notUnderstood = (message: string): HangarError =>
  new HangarError('bad_request', { message, wayOut: 'See packages/contract/src/terminals.ts for what it takes.' });

function jsonOf(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString());
  } catch {
    return undefined;
  }
}
