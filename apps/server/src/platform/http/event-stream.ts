import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** The response itself, to be written piece by piece; with the headers that every answer has. */
export function takeOver(reply: FastifyReply): ServerResponse {
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) reply.raw.setHeader(name, value);
  return reply.raw;
}

/** Sends the head of an event stream, such that no proxy holds its events back. */
export function openEventStream(reply: FastifyReply): ServerResponse {
  const response = takeOver(reply);
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  response.socket?.setTimeout(0);
  response.write('retry: 1000\n\n');
  return response;
}
