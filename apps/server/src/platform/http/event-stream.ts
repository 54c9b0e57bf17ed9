import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** How long a client waits before it comes back. */
const RETRY = 'retry: 1000\n\n';

/** The response itself, to be written piece by piece; with the headers that every answer has. */
export function takeOver(reply: FastifyReply): ServerResponse {
  reply.hijack();
  // Its end may wait long for a reader that takes nothing; what is written after it is lost, and ends nobody.
  reply.raw.on('error', () => undefined);
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) reply.raw.setHeader(name, value);
  return reply.raw;
}

/**
 * Sends the head of an event stream, such that no proxy holds its events back. It is cut off when its reader is let in no longer.
 * A response that is `destroyed` is of a reader who has gone meanwhile: its `close` has been and comes to nobody from here on.
 */
export function openEventStream(reply: FastifyReply, { opening = RETRY } = {}): ServerResponse {
  const response = takeOver(reply);
  if (response.destroyed) return response;
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  response.socket?.setTimeout(0);
  if (opening !== '') response.write(opening);
  const leave = reply.request.whenShutOut?.(() => response.destroy());
  if (leave) response.once('close', leave);
  return response;
}
