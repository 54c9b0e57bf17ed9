import type { IncomingMessage, ServerResponse } from 'node:http';

/** What of the Connect protocol envd speaks: the JSON codec, unary calls and streams in envelopes of 5 bytes. */

export const STREAM_TYPE = 'application/connect+json';
const END_OF_STREAM = 2;
const LARGEST_MESSAGE = 64 * 1024 * 1024;

const STATUS_OF = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  failed_precondition: 400,
  unimplemented: 501,
  internal: 500,
  unauthenticated: 401,
} as const;

/** An error as a Connect server says it. */
export class RpcError extends Error {
  readonly code: keyof typeof STATUS_OF;
  constructor(code: keyof typeof STATUS_OF, message: string) {
    super(message);
    this.code = code;
  }
}

const asRpcError = (error: unknown): RpcError =>
  error instanceof RpcError ? error : new RpcError('internal', error instanceof Error ? error.message : String(error));

function envelope(flags: number, message: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Messages that come in envelopes, each as soon as it is whole. @throws RpcError invalid_argument */
export async function* readEnvelopes(request: IncomingMessage): AsyncGenerator<unknown> {
  let rest = Buffer.alloc(0);
  for await (const chunk of request) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const length = rest.readUInt32BE(1);
      if (rest.readUInt8(0) !== 0) throw new RpcError('invalid_argument', 'compressed or unknown envelope');
      if (length > LARGEST_MESSAGE) throw new RpcError('invalid_argument', 'message too large');
      if (rest.length < 5 + length) break;
      yield parse(rest.subarray(5, 5 + length));
      rest = rest.subarray(5 + length);
    }
  }
  if (rest.length > 0) throw new RpcError('invalid_argument', 'protocol error: incomplete envelope');
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new RpcError('invalid_argument', 'unmarshal message: not JSON');
  }
}

/** Answers a unary call; what `work` throws becomes the error on the wire. */
export async function unary(
  request: IncomingMessage,
  response: ServerResponse,
  work: (message: unknown) => Promise<unknown>,
): Promise<void> {
  try {
    const message = parse(await readBody(request));
    json(response, 200, await work(message));
  } catch (error) {
    const { code, message } = asRpcError(error);
    json(response, STATUS_OF[code], { code, message });
  }
}

/** Sends one message; resolves when the other side takes more. Never rejects: a subscriber that is gone is none. */
export type Send = (message: unknown) => Promise<void>;

/** Answers with a stream that ends with the right envelope, whatever `work` does. */
export async function streaming(
  request: IncomingMessage,
  response: ServerResponse,
  work: (message: unknown, send: Send) => Promise<void>,
): Promise<void> {
  response.writeHead(200, { 'Content-Type': STREAM_TYPE });
  response.flushHeaders();
  const gone = new Promise<void>((resolve) => response.once('close', resolve));
  const send: Send = async (message) => {
    if (response.destroyed || response.writableEnded) return;
    if (!response.write(envelope(0, message))) {
      await Promise.race([gone, new Promise<void>((resolve) => response.once('drain', resolve))]);
    }
  };
  let end: unknown = {};
  try {
    let first: unknown;
    for await (const message of readEnvelopes(request)) first ??= message;
    if (first === undefined) throw new RpcError('invalid_argument', 'protocol error: no message');
    await work(first, send);
  } catch (error) {
    const { code, message } = asRpcError(error);
    end = { error: { code, message } };
  }
  if (!response.destroyed) response.end(envelope(END_OF_STREAM, end));
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
