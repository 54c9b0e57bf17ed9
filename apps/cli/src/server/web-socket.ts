import { HangarError } from '@hangar/contract/errors';
import { WebSocket } from 'ws';
import { type Answer, answerOf, asLost, USER_AGENT } from './http.ts';
import type { Link } from './link.ts';

const ANSWER_MS = 30_000;

/**
 * Opens a WebSocket the way all calls go. An answer is how the server refused it. What it brings is held back until the caller had a
 * chance to listen.
 * @throws HangarError server_unreachable, proxy_refused, certificate_refused
 */
export async function openWebSocket(
  link: Link,
  path: string,
  o: { readonly headers: Readonly<Record<string, string>>; readonly protocol: string; readonly signal: AbortSignal },
): Promise<WebSocket | Answer> {
  const way = await link.way();
  let { agent } = way ?? {};
  if (way !== null && link.server.startsWith('http:')) {
    // A proxy passes no request on that stops being HTTP; it opens a tunnel for it.
    const { openTunnelAgent } = await import('@hangar/worker/proxy-agent');
    agent = await openTunnelAgent(way.proxy);
  }
  o.signal.throwIfAborted();
  const socket = new WebSocket(`${link.server.replace(/^http/, 'ws')}${path}`, o.protocol, {
    headers: { 'user-agent': USER_AGENT, ...o.headers },
    perMessageDeflate: false,
    ...(agent === undefined ? {} : { agent }),
  });
  const leave = () => socket.terminate();
  o.signal.addEventListener('abort', leave, { once: true });
  socket.once('close', () => o.signal.removeEventListener('abort', leave));
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      reject(new HangarError('server_unreachable', { details: { reason: `no answer in ${ANSWER_MS / 1000} s` } }));
      socket.terminate();
    }, ANSWER_MS);
    const settled = () => clearTimeout(late);
    socket.once('open', settled).once('close', settled).once('unexpected-response', settled);
    socket.on('error', (error) => reject(o.signal.aborted ? o.signal.reason : asLost(link, way, error)));
    socket.once('unexpected-response', (_request, message) =>
      resolve(answerOf(message, message.statusCode ?? 0, null)),
    );
    socket.once('open', () => {
      socket.pause();
      setImmediate(() => socket.resume());
      resolve(socket);
    });
  });
}
