import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

const compress = promisify(gzip);

/** A smaller answer fits into one packet with its headers as it is. */
const WORTH_BYTES = 1024;

/**
 * Sends a JSON answer compressed to who takes gzip: a page of a list shrinks to a tenth. Streams, files and what has its own
 * encoding pass as they are. For `onSend`.
 */
export async function compressJson(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  if (typeof payload !== 'string' || payload.length < WORTH_BYTES) return payload;
  if (!String(reply.getHeader('content-type') ?? '').startsWith('application/json')) return payload;
  reply.header('vary', 'accept-encoding');
  if (!takesEncoding(request.headers['accept-encoding'], 'gzip')) return payload;
  const packed = await compress(payload);
  // What was counted before is the length of the other form.
  reply.removeHeader('content-length').header('content-encoding', 'gzip');
  return packed;
}

/** Whether who asks names the encoding (RFC 9110 §12.5.3); a weight of zero is a refusal. */
export const takesEncoding = (accepted: string | string[] | undefined, encoding: 'br' | 'gzip'): boolean =>
  String(accepted ?? '')
    .split(',')
    .some((one) => {
      const [name = '', weight] = one
        .trim()
        .toLowerCase()
        .split(/\s*;\s*q=/);
      return name === encoding && (weight === undefined || Number(weight) > 0);
    });
