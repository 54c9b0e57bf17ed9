import { fromWire, HangarError } from '@hangar/contract/errors';
import { VERSION } from '../version.ts';

/** A request as it is sent. The body is made anew for each try. */
export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => RequestInit['body'];
  /** Until the headers of the answer; the body may take longer. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The same call twice does no harm, so it is sent again when the connection breaks. */
  readonly repeatable?: boolean;
}

export const USER_AGENT = `hangar/${VERSION} (${process.platform}; ${process.arch}) node/${process.versions.node}`;
/** A body that stops coming for so long does not come any more: event streams bring a comment every 15 s. */
const SILENCE_MS = 45_000;
const NO_ANSWER = 'It did not answer in time.';
const REPEAT_AFTER_MS = [150, 600];

/**
 * One request to a server, without any identity.
 * @throws HangarError server_unreachable, interrupted
 */
export async function send(server: string, path: string, call: Call, signal: AbortSignal): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    const pause = call.repeatable ? REPEAT_AFTER_MS[attempt] : undefined;
    try {
      const response = await once(server, path, call, signal);
      if (response.status !== 503 || pause === undefined) return response;
      await response.body?.cancel();
    } catch (error) {
      if (pause === undefined || !(error instanceof HangarError) || error.code !== 'server_unreachable') throw error;
      // Who has waited that long does not want to wait twice more.
      if (error.details?.reason === NO_ANSWER) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    signal.throwIfAborted();
  }
}

async function once(server: string, path: string, call: Call, signal: AbortSignal): Promise<Response> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), call.timeoutMs ?? 30_000);
  const body = call.body?.();
  try {
    const response = await fetch(`${server}${path}`, {
      method: call.method ?? 'GET',
      headers: { 'user-agent': USER_AGENT, ...call.headers },
      redirect: 'error',
      signal: AbortSignal.any([signal, timeout.signal, ...(call.signal ? [call.signal] : [])]),
      ...(body === undefined ? {} : { body }),
      ...(body instanceof ReadableStream ? { duplex: 'half' as const } : {}),
    });
    return watched(response, timeout);
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

/** The same answer, whose body fails when it stops coming. */
function watched(response: Response, connection: AbortController): Response {
  if (response.body === null) return response;
  const late = () => connection.abort(new Error(`nothing came for ${SILENCE_MS / 1000} s`));
  const timer = setTimeout(late, SILENCE_MS).unref();
  const watch = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      timer.refresh();
      controller.enqueue(chunk);
    },
    flush: () => clearTimeout(timer),
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(watch), { status, statusText, headers });
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

/** fetch hides what went wrong one level down. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

/** An answer that is not 2xx as the error that was thrown on the server. Reads the body. */
export async function errorOf(server: string, response: Response): Promise<HangarError> {
  const text = await response.text().catch(() => '');
  const known = fromWire(safeJson(text));
  if (known !== null) return known;
  const { status } = response;
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
