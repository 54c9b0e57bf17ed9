import type { IncomingMessage, RequestOptions } from 'node:http';
import { Readable } from 'node:stream';
import { fromWire, HangarError } from '@hangar/contract/errors';
import { VERSION } from '../version.ts';

/** A request as it is sent. The body is made anew for each try. */
export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => string | Uint8Array | URLSearchParams | Readable;
  /** Until the headers of the answer; the body may take longer. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The same call twice does no harm, so it is sent again when the connection breaks. */
  readonly repeatable?: boolean;
}

/** An answer whose body is still to come. It must be read to its end or discarded. */
export interface Answer {
  readonly status: number;
  /** 2xx. */
  readonly ok: boolean;
  readonly body: AsyncIterable<Uint8Array>;
  text(): Promise<string>;
  json(): Promise<unknown>;
  discard(): void;
}

export const USER_AGENT = `hangar/${VERSION} (${process.platform}; ${process.arch}) node/${process.versions.node}`;
/** A body that stops coming for so long does not come any more: event streams bring a comment every 15 s. */
const SILENCE_MS = 45_000;
/** How the reason begins when a body was given up on. */
export const SILENT = 'nothing came';
const NO_ANSWER = 'It did not answer in time.';
const REPEAT_AFTER_MS = [150, 600];

/**
 * One request to a server, without any identity.
 * @throws HangarError server_unreachable, interrupted
 */
export async function send(server: string, path: string, call: Call, signal: AbortSignal): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    const pause = call.repeatable ? REPEAT_AFTER_MS[attempt] : undefined;
    try {
      const answer = await once(server, path, call, signal);
      if (answer.status !== 503 || pause === undefined) return answer;
      answer.discard();
    } catch (error) {
      if (pause === undefined || !(error instanceof HangarError) || error.code !== 'server_unreachable') throw error;
      // Who has waited that long does not want to wait twice more.
      if (error.details?.reason === NO_ANSWER) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    signal.throwIfAborted();
  }
}

async function once(server: string, path: string, call: Call, signal: AbortSignal): Promise<Answer> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), call.timeoutMs ?? 30_000);
  const stop = AbortSignal.any([signal, timeout.signal, ...(call.signal ? [call.signal] : [])]);
  try {
    const message = await exchange(new URL(server + path), call, stop);
    const { statusCode: status = 0 } = message;
    // Where it leads is not the server that was named, and must not learn the token.
    if (status >= 300 && status < 400) {
      message.destroy();
      throw new Error(`It redirects to ${message.headers.location ?? 'another place'}.`);
    }
    return answerOf(message, status);
  } catch (error) {
    signal.throwIfAborted();
    call.signal?.throwIfAborted();
    throw new HangarError('server_unreachable', {
      message: `The server at ${server} cannot be reached.`,
      details: { reason: timeout.signal.aborted ? NO_ANSWER : reasonOf(error), server },
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** node:http rather than fetch, which takes as long to load as Node to start; TLS is loaded when the address asks for it. */
async function exchange(url: URL, call: Call, signal: AbortSignal): Promise<IncomingMessage> {
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  signal.throwIfAborted();
  const given = call.body?.();
  const body = given instanceof URLSearchParams ? given.toString() : given;
  const options: RequestOptions = {
    method: call.method ?? 'GET',
    signal,
    headers: {
      'user-agent': USER_AGENT,
      ...(given instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      ...call.headers,
    },
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, options, resolve);
    sent.on('error', reject);
    if (!(body instanceof Readable)) return void sent.end(body);
    body.on('error', (error) => sent.destroy(error));
    sent.on('close', () => body.destroy());
    body.pipe(sent);
  });
}

/** The body, which fails when it stops coming. How long it takes to be read does not count. */
async function* watched(message: IncomingMessage): AsyncGenerator<Uint8Array> {
  const pieces = message[Symbol.asyncIterator]();
  const late = () => message.destroy(new Error(`${SILENT} for ${SILENCE_MS / 1000} s`));
  try {
    for (;;) {
      const timer = setTimeout(late, SILENCE_MS);
      const piece = await pieces.next().finally(() => clearTimeout(timer));
      if (piece.done) return;
      yield piece.value;
    }
  } finally {
    message.destroy();
  }
}

function answerOf(message: IncomingMessage, status: number): Answer {
  const text = async (): Promise<string> => {
    const parts: Uint8Array[] = [];
    for await (const part of watched(message)) parts.push(part);
    return Buffer.concat(parts).toString('utf8');
  };
  return {
    status,
    ok: status >= 200 && status < 300,
    body: watched(message),
    text,
    json: async () => JSON.parse(await text()),
    discard: () => message.destroy(),
  };
}

/** Worth another try: the connection, a server that starts or has a bad moment; not a refusal. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof HangarError)) return true;
  const { code, kind } = error;
  return kind === 'unavailable' || code === 'internal' || code === 'rate_limited';
}

/** What to tell a person about a connection that broke. */
export const whyLost = (error: unknown): string =>
  error instanceof HangarError ? String(error.details?.reason ?? error.message) : reasonOf(error);

/** What went wrong in the words of the system; of several addresses that were tried, the first. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

/** An answer that is not 2xx as the error that was thrown on the server. Reads the body. */
export async function errorOf(server: string, answer: Answer): Promise<HangarError> {
  const text = await answer.text().catch(() => '');
  const known = fromWire(safeJson(text));
  if (known !== null) return known;
  const { status } = answer;
  if (status === 401) return new HangarError('not_signed_in');
  if (status === 403) return new HangarError('wrong_identity');
  if (status === 429) return new HangarError('rate_limited');
  if (status >= 500)
    return new HangarError(status === 500 ? 'internal' : 'server_unreachable', {
      message: `The server at ${server} answered ${status}.`,
    });
  const said = (safeJson(text) as { message?: unknown } | null)?.message;
  return new HangarError(status === 404 ? 'route_not_found' : 'bad_request', {
    message: typeof said === 'string' ? said : `The server at ${server} answered ${status}.`,
    wayOut: 'Check that the address is a Hangar server of the same version as this command line.',
  });
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
