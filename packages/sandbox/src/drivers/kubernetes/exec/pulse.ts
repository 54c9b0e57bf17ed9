import type { WebSocket } from 'ws';

/** Silence after which a sign of life is asked for. */
const ASK_AFTER_MS = 5_000;
/** Silence, asked or not, after which nobody is believed to be there: with the proof that follows, within half a minute. */
const DOUBT_AFTER_MS = 12_000;

/** Whether somebody is at the other end of a WebSocket. */
export interface Pulse {
  heard(): void;
  /** Input was sent. */
  wrote(): void;
  silentMs(): number;
  /** Silent for too long; asks for a sign of life before that. */
  isDoubtful(): boolean;
  /** Input was sent, and no ping behind it was answered. */
  isInputUnread(): boolean;
}

export function createPulse(socket: WebSocket): Pulse {
  let heardAt = performance.now();
  let askedAt = heardAt;
  let asked = 0;
  let answered = 0;
  /** Number of the ping that was the last before input was sent. */
  let wroteAfter = -1;
  const heard = () => {
    heardAt = performance.now();
  };
  socket.on('ping', heard);
  socket.on('pong', (data: Buffer) => {
    heard();
    answered = Math.max(answered, Number(data.toString('latin1')) || 0);
  });
  return {
    heard,
    wrote() {
      wroteAfter = asked;
    },
    silentMs: () => performance.now() - heardAt,
    isDoubtful() {
      const now = performance.now();
      if (now - heardAt >= ASK_AFTER_MS && now - askedAt >= ASK_AFTER_MS && socket.readyState === socket.OPEN) {
        askedAt = now;
        asked += 1;
        socket.ping(String(asked), undefined, () => {});
      }
      return now - heardAt >= DOUBT_AFTER_MS;
    },
    isInputUnread: () => answered <= wroteAfter,
  };
}
