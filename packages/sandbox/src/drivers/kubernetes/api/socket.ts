import type { Agent, IncomingMessage } from 'node:http';
import { HangarError } from '@hangar/contract';
import { WebSocket } from 'ws';

/** API servers send pieces of 32 KiB. */
const LONGEST_MESSAGE = 16 * 1024 * 1024;
/** While nothing is read no ping is heard either: the system itself gives a peer up after twice this. */
const KEEPALIVE_MS = 10_000;
/** How long the other end may take to say goodbye. */
const GOODBYE_MS = 5_000;

export interface SocketRequest {
  readonly protocol: string;
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** The request was handed over: what it asks for may happen from now on. */
  readonly onSent: () => void;
}

/**
 * Asks for a WebSocket: what was answered, and the socket where that was yes. It is paused until its owner listens and calls `resume`;
 * from then on `close` tells of its end, whatever that was.
 */
export function openSocket(url: string, o: SocketRequest): Promise<{ response: IncomingMessage; value: WebSocket }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, o.protocol, {
      ...{ agent: o.agent, headers: o.headers, followRedirects: false },
      ...{ perMessageDeflate: false, maxPayload: LONGEST_MESSAGE, closeTimeout: GOODBYE_MS },
      finishRequest(request) {
        request.once('finish', o.onSent);
        request.end();
      },
    });
    const abort = () => {
      reject(o.signal.reason);
      socket.terminate();
    };
    o.signal.addEventListener('abort', abort, { once: true });
    // Stays: an error that nobody hears would end this process.
    socket.on('error', reject);
    socket.once('unexpected-response', (_request, response) => resolve({ response, value: socket }));
    socket.once('upgrade', (response) => {
      if (response.headers['sec-websocket-protocol'] !== o.protocol)
        reject(new HangarError('unsupported', { message: `The API server does not speak ${o.protocol}.` }));
      response.socket.setKeepAlive(true, KEEPALIVE_MS);
      socket.once('open', () => {
        o.signal.removeEventListener('abort', abort);
        socket.pause();
        resolve({ response, value: socket });
      });
    });
    if (o.signal.aborted) abort();
  });
}
