import type { LogQuery } from '@hangar/contract';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { openEventStream } from '../../http/event-stream.ts';
import type { Logs } from '../logs.ts';

/**
 * Answers a request for a log in the form it asks for: a page as JSON, Server-Sent Events, text or gzip. Every feature that has a
 * log serves it by this, after it has checked that the caller may see it.
 */
export async function answerLogRequest(
  logs: Logs,
  logId: string,
  query: LogQuery,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  // While it was found out whether they may see it: its `close` has been.
  if (reply.raw.destroyed) gone.abort();

  if (query.format !== 'json') {
    const text = query.format === 'text';
    return reply
      .type(text ? 'text/plain; charset=utf-8' : 'application/gzip')
      .header('content-disposition', `attachment; filename="${logId}.log${text ? '' : '.gz'}"`)
      .send(logs.download(logId, query.format, gone.signal));
  }
  if (query.follow || /\btext\/event-stream\b/.test(request.headers.accept ?? '')) {
    const last = request.headers['last-event-id'];
    const resumed = typeof last === 'string' && /^\d{1,9}$/.test(last) ? Number(last) : undefined;
    const { tail, since, grep, stream } = query;
    const after = resumed ?? query.after;
    const from = {
      ...(after === undefined ? {} : { after }),
      ...(tail === undefined ? {} : { tail }),
      ...(since === undefined ? {} : { since }),
      ...(grep === undefined ? {} : { grep }),
      ...(stream === undefined ? {} : { stream }),
    };
    await logs.follow(logId, from, () => {
      const response = openEventStream(reply, { opening: '' }); // the follower writes its own
      return response.destroyed ? null : response;
    });
    return reply;
  }
  return logs.read(logId, query, gone.signal);
}
