import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import webSockets from '@fastify/websocket';
import { HangarError, type RawOperation, TERMINAL_CLOSE, TERMINAL_FRAME_MOST } from '@hangar/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { urlOf } from './routes.ts';

/** As much of a socket as those who serve one use. */
export type WebSocket = Parameters<import('@fastify/websocket').WebsocketHandler>[0];

/** For those who are asked to leave; who does not is cut off. */
const LEAVE_MS = 1_000;

/** Lets routes become WebSockets, each by `serveWebSocket`. In one place, before any route. */
export async function acceptWebSockets(app: FastifyInstance): Promise<void> {
  const upgrades = new EventEmitter();
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') goOnPlainly(app.server, request, socket, head);
    // The server is about to stop: nobody would hear of this connection, nor of its errors.
    else if (!upgrades.emit('upgrade', request, socket, head)) socket.destroy();
  });
  await app.register(webSockets, {
    options: {
      // The library listens on what it is given, and only takes itself off of it.
      server: upgrades as Server,
      maxPayload: TERMINAL_FRAME_MOST,
      // A route has let in who offers what it speaks.
      handleProtocols: (offered, request) => SPOKEN.get(request) ?? [...offered][0] ?? false,
    },
    errorHandler: (_error, socket) => socket.terminate(),
    async preClose() {
      const { clients } = app.websocketServer;
      for (const client of clients) client.close(TERMINAL_CLOSE.goingAway);
      await new Promise((resolve) => setTimeout(resolve, clients.size === 0 ? 0 : LEAVE_MS));
      for (const client of clients) client.terminate();
      app.websocketServer.close();
    },
  });
  // A connection whose request to become a socket was refused is read by nobody any more.
  app.addHook('onRequest', async (request, reply) => {
    if (request.ws) reply.header('connection', 'close');
  });
}

const SPOKEN = new WeakMap<IncomingMessage, string>();

/**
 * Node hands over a connection whatever it asks to become. What is no WebSocket (h2c, as some clients try on each first request) is
 * answered as if it had not asked.
 */
function goOnPlainly(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const headers: string[] = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const [name = '', value = ''] = request.rawHeaders.slice(at, at + 2);
    if (!/^(upgrade|connection|http2-settings)$/i.test(name)) headers.push(`${name}: ${value}\r\n`);
  }
  const begin = `${request.method} ${request.url} HTTP/${request.httpVersion}\r\n${headers.join('')}Connection: close\r\n\r\n`;
  socket.unshift(Buffer.concat([Buffer.from(begin, 'latin1'), head]));
  server.emit('connection', socket);
}

/**
 * Serves an operation of `rawOperations` that becomes a WebSocket. What `enter` throws refuses it in the way of all requests;
 * what it answers is handed to `serve` with the socket, whose errors are told by its close.
 */
export function serveWebSocket<T>(
  app: FastifyInstance,
  operation: RawOperation & { readonly webSocket: string },
  o: {
    readonly enter: (request: FastifyRequest) => Promise<T>;
    readonly serve: (socket: WebSocket, entered: T, request: FastifyRequest) => void;
  },
): void {
  const entered = new WeakMap<FastifyRequest, T>();
  app.route({
    method: 'GET',
    url: urlOf(operation),
    config: { operation },
    exposeHeadRoute: false,
    preHandler: async (request) => {
      const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
      entered.set(request, await o.enter(request));
      if (!request.ws || !offered.includes(operation.webSocket)) throw new HangarError('websocket_needed');
      SPOKEN.set(request.raw, operation.webSocket);
    },
    handler: () => Promise.reject(new HangarError('websocket_needed')),
    wsHandler(socket, request) {
      const leave = request.whenShutOut?.(() => socket.close(TERMINAL_CLOSE.shutOut, 'signed out'));
      if (leave) socket.once('close', leave);
      o.serve(socket, entered.get(request) as T, request);
    },
  });
}
