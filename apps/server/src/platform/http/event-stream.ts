import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** Sends the head of an event stream, such that no proxy holds its events back. */
export function openEventStream(reply: FastifyReply): ServerResponse {
  reply.hijack();
  const response = reply.raw;
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value);
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  response.socket?.setTimeout(0);
  response.write('retry: 1000\n\n');
  return response;
}
