import type { Agent, IncomingMessage, RequestOptions } from 'node:http';
import { Readable } from 'node:stream';
import { fromWire, HangarError, isPassingStatus } from '@hangar/contract/errors';
import { isRepeatable } from '@hangar/contract/request';
import { VERSION } from '../version.ts';
import type { Link, Way } from './link.ts';

/** A request as it is sent. The body is made anew for each try. */
export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => string | Uint8Array | URLSearchParams | Readable;
  /** Until the headers of the answer; the body may take longer. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The body cannot be made a second time: it is not sent again, whatever the contract allows. */
  readonly once?: boolean;
}

/** An answer whose body is still to come. It must be read to its end or discarded. */
export interface Answer {
  readonly status: number;
  /** 2xx. */
  readonly ok: boolean;
  /** The proxy that could see and answer it. */
  readonly through: string | null;
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
 * One request to a server, without any identity. It is sent again when the connection breaks, where the contract says that twice
 * does no more than once.
 * @throws HangarError server_unreachable, proxy_refused, proxy_invalid, certificate_refused, interrupted
 */
export async function send(link: Link, path: string, call: Call, signal: AbortSignal): Promise<Answer> {
  const { method = 'GET', headers = {} } = call;
  const repeatable = call.once !== true && isRepeatable(method, path.replace('/api', ''), 'idempotency-key' in headers);
  for (let attempt = 0; ; attempt++) {
    const pause = repeatable ? REPEAT_AFTER_MS[attempt] : undefined;
    try {
      const answer = await once(link, path, call, signal);
      if (attempt > 0 && method === 'DELETE' && answer.status === 404) return await asRemoved(answer);
      if (answer.status !== 503 || pause === undefined) return answer;
      answer.discard();
    } catch (error) {
      if (pause === undefined || !isPassing(error)) throw error;
      // Who has waited that long does not want to wait twice more.
      if (error instanceof HangarError && error.details?.reason === NO_ANSWER) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    signal.throwIfAborted();
  }
}

/** What is not there when it is removed again was removed by the try before, whose answer got lost. */
async function asRemoved(answer: Answer): Promise<Answer> {
  const said = await answer.text();
  const error = fromWire(safeJson(said));
  const isRemoved = error !== null && error.code !== 'route_not_found';
  const text = isRemoved ? '{"done":true}' : said;
  return {
    ...answer,
    body: Readable.from([Buffer.from(text)]),
    text: async () => text,
    json: async () => JSON.parse(text),
    ...(isRemoved ? { status: 200, ok: true } : {}),
  };
}

async function once(link: Link, path: string, call: Call, signal: AbortSignal): Promise<Answer> {
  const { server } = link;
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), call.timeoutMs ?? 30_000);
  const stop = AbortSignal.any([signal, timeout.signal, ...(call.signal ? [call.signal] : [])]);
  let way: Way | null = null;
  try {
    way = await link.way();
    const message = await exchange(new URL(server + path), call, way?.agent, stop);
    const { statusCode: status = 0 } = message;
    if (status === 407 && way !== null) {
      message.destroy();
      throw proxyRefused(way.proxy, 'asks for a sign-in', { status });
    }
    // Where it leads is not the server that was named, and must not learn the token.
    if (status >= 300 && status < 400) {
      message.destroy();
      const reason = `It redirects to ${message.headers.location ?? 'another place'}.`;
      throw new HangarError('server_unreachable', {
        message: `The server at ${server} cannot be reached.`,
        details: { reason, server, lasting: true },
      });
    }
    return answerOf(message, status, server.startsWith('http:') ? (way?.proxy.host ?? null) : null);
  } catch (error) {
    signal.throwIfAborted();
    call.signal?.throwIfAborted();
    throw timeout.signal.aborted ? unreachable(link, NO_ANSWER, error) : asLost(link, way, error);
  } finally {
    clearTimeout(timer);
  }
}

/** What broke a call, in the words of the table; what is no trouble of the network stays as it is. */
export function asLost(link: Link, way: Way | null, error: unknown): unknown {
  if (error instanceof HangarError) {
    if (error.code !== 'proxy_refused' || error.details?.status !== 407 || way === null) return error;
    return proxyRefused(way.proxy, 'asks for a sign-in', { status: 407, cause: error });
  }
  const code = codeOf(error);
  if (CERTIFICATE.test(code))
    return new HangarError('certificate_refused', {
      message: `The certificate of ${link.server} is not one this machine trusts.`,
      details: { reason: reasonOf(error) },
      cause: error,
    });
  if (!BROKEN.test(code)) return error;
  // Without TLS the proxy is what the request itself connects to.
  if (way !== null && /^(connect|getaddrinfo)$/.test(syscallOf(error)))
    return proxyRefused(way.proxy, `cannot be reached: ${reasonOf(error)}`, { cause: error });
  return unreachable(link, reasonOf(error), error);
}

const unreachable = ({ server }: Link, reason: string, cause: unknown): HangarError =>
  new HangarError('server_unreachable', {
    message: `The server at ${server} cannot be reached.`,
    details: { reason, server },
    cause,
  });

const proxyRefused = (proxy: URL, what: string, o: { status?: number; cause?: unknown }): HangarError =>
  new HangarError('proxy_refused', {
    message: `The proxy at ${proxy.host} ${what}.`,
    ...(o.status === 407
      ? {
          wayOut:
            'Put name and password into the address of the proxy, as in HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT, or name the server in NO_PROXY.',
          details: { status: o.status },
        }
      : {}),
    cause: o.cause,
  });

/** node:http rather than fetch, which takes as long to load as Node to start; TLS is loaded when the address asks for it. */
async function exchange(url: URL, call: Call, agent: Agent | undefined, signal: AbortSignal): Promise<IncomingMessage> {
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  signal.throwIfAborted();
  const given = call.body?.();
  const body = given instanceof URLSearchParams ? given.toString() : given;
  const options: RequestOptions = {
    method: call.method ?? 'GET',
    signal,
    ...(agent === undefined ? {} : { agent }),
    headers: {
      'user-agent': USER_AGENT,
      ...(given instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      ...call.headers,
    },
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, options, resolve);
    sent.on('error', reject);
    // A request that still waits for its way through a proxy has no socket to be told by.
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    if (!(body instanceof Readable)) return void sent.end(body);
    body.on('error', (error) => sent.destroy(error));
    sent.on('close', () => body.destroy());
    body.pipe(sent);
  });
}

/** The body, which fails when it stops coming. How long it takes to be read does not count. */
async function* watched(message: IncomingMessage): AsyncGenerator<Uint8Array> {
  const pieces = message[Symbol.asyncIterator]();
  const late = () => message.destroy(silent());
  try {
    for (;;) {
      const timer = setTimeout(late, SILENCE_MS);
      const piece = await pieces
        .next()
        .catch((error: unknown) => {
          throw isPassing(error) ? cutOff(error) : error;
        })
        .finally(() => clearTimeout(timer));
      if (piece.done) return;
      yield piece.value;
    }
  } finally {
    message.destroy();
  }
}

export function answerOf(message: IncomingMessage, status: number, through: string | null): Answer {
  const text = async (): Promise<string> => {
    const parts: Uint8Array[] = [];
    for await (const part of watched(message)) parts.push(part);
    return Buffer.concat(parts).toString('utf8');
  };
  return {
    status,
    ok: status >= 200 && status < 300,
    through,
    body: watched(message),
    text,
    json: async () => JSON.parse(await text()),
    discard: () => message.destroy(),
  };
}

/** A connection on which nothing has come for so long is dead without saying so. */
export const silent = (): HangarError =>
  new HangarError('server_unreachable', { details: { reason: `${SILENT} for ${SILENCE_MS / 1000} s` } });

const cutOff = (cause: unknown): HangarError =>
  new HangarError('server_unreachable', {
    message: 'The connection broke while the answer was on its way.',
    wayOut: 'Try again.',
    details: { reason: whyLost(cause) },
    cause,
  });

/** What the system, Node's HTTP and its TLS say of a connection that is not there, breaks, or brings half an answer. */
const BROKEN =
  /^(ECONN(RESET|REFUSED|ABORTED)|EPIPE|ETIMEDOUT|E(NET|HOST)(UNREACH|DOWN)|EADDRNOTAVAIL|EAI_\w+|ENOTFOUND|EPROTO|HPE_\w+|ERR_STREAM_PREMATURE_CLOSE|ERR_SSL_\w+|ERR_HTTP_CONTENT_LENGTH_MISMATCH)$/;
const CERTIFICATE =
  /^(\w*CERT\w*|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)\w+|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)$/;
/** What a server says that starts, is restarted, or has a bad moment. */
const PASSING: ReadonlySet<string> = new Set([
  ...['server_unreachable', 'proxy_refused', 'internal', 'rate_limited'],
  ...['database_unavailable', 'blob_store_unavailable', 'k8s_unreachable', 'open_files_exhausted'],
]);

/** Worth another try: what is known to pass by itself. Not a refusal, not this machine's own trouble, and not a bug. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof HangarError)) return BROKEN.test(codeOf(error)) && !WRITTEN.test(syscallOf(error));
  const status = Number(error.details?.status ?? 0);
  return PASSING.has(error.code) && error.details?.lasting !== true && !(status >= 400 && status < 500);
}

/** Files and pipes of this machine, whose errors may have the same names. */
const WRITTEN = /^(open|rename|link|unlink|f?stat|mkdir|fsync|copyfile)$/;

const codeOf = (error: unknown): string => String((causeOf(error) as { code?: unknown } | null)?.code ?? '');
const syscallOf = (error: unknown): string => String((causeOf(error) as { syscall?: unknown } | null)?.syscall ?? '');

/** What to tell a person about a connection that broke. */
export const whyLost = (error: unknown): string =>
  error instanceof HangarError ? String(error.details?.reason ?? error.message) : reasonOf(error);

/** What went wrong in the words of the system. */
export function reasonOf(error: unknown): string {
  const cause = causeOf(error);
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

/** What lies behind an error; of several addresses that were tried, the first. */
function causeOf(error: unknown): unknown {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof AggregateError && cause.errors[0] instanceof Error ? cause.errors[0] : cause;
}

/** An answer that is not 2xx as the error that was thrown on the server. Reads the body. */
export async function errorOf({ server }: Link, answer: Answer): Promise<HangarError> {
  const text = await answer.text().catch(() => '');
  const known = fromWire(safeJson(text));
  if (known !== null) return known;
  const { status, through } = answer;
  // A Hangar server says it in JSON; a proxy answers in its own words.
  if (through !== null && (status >= 500 || status === 401 || status === 403))
    return new HangarError('proxy_refused', {
      message: `The proxy at ${through}, or the server behind it (${server}), answered ${status}.`,
      details: { status },
    });
  if (status === 401) return new HangarError('not_signed_in');
  if (status === 403) return new HangarError('wrong_identity');
  if (status === 429) return new HangarError('rate_limited');
  if (isPassingStatus(status))
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
