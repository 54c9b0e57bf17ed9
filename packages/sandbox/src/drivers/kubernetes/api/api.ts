import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError, proxyFor } from '@hangar/contract';
import { z } from 'zod';
import type { Credentials, Proof } from './credentials.ts';

const DEADLINE_MS = 30_000;
/** A page of a list is far shorter. */
const LONGEST_ANSWER = 64 * 1024 * 1024;
const KEEP_ALIVE_MS = 30_000;
/** How often a busy API server is asked again, within the deadline of the call. */
const BUSY_TRIES = 5;
const WAIT = 'It is asked again by itself. Check that the cluster is up and that this machine reaches it.';

export interface Call {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** Of the body; application/json when not said. Patches need their own. */
  readonly type?: string;
  readonly signal: AbortSignal;
  /** Of the whole answer; with `stream` until its head is there. 30 s when not said. */
  readonly deadlineMs?: number;
}

/** What the API server said no with. Decide by `status` and `reason`; the message is for people. */
export class ApiError extends Error {
  readonly status: number;
  /** AlreadyExists, Conflict, Expired, Forbidden, Invalid, NotFound… as Kubernetes writes it; empty when it said none. */
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

export const isStatus = (error: unknown, ...statuses: number[]): error is ApiError =>
  error instanceof ApiError && statuses.includes(error.status);

/** Null when the API server answered with this status. */
export async function unless<T>(status: number, answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (isStatus(error, status)) return null;
    throw error;
  }
}

/**
 * One API server, spoken to in JSON. Every call has a deadline; a busy server (429) is asked again within it; a refused
 * proof (401) is renewed once.
 * @throws ApiError when it answered no; HangarError driver_unavailable when it did not answer or is broken, cluster_not_connected
 */
export interface ClusterApi {
  readonly server: string;
  json(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, call: Call): Promise<unknown>;
  /** Logs of pods. */
  text(path: string, call: Call): Promise<string>;
  /** A body that goes on, such as a watch or a followed log. The caller destroys it; `signal` ends it too. */
  stream(path: string, call: Call): Promise<http.IncomingMessage>;
  /** Ends idle connections. A call after it opens new ones. */
  close(): void;
}

export interface ApiOptions {
  readonly server: string;
  readonly ca?: string | undefined;
  readonly insecure: boolean;
  readonly serverName?: string;
  /** Of the kubeconfig; else env says whether a proxy stands before the server. */
  readonly proxyUrl?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly credentials: Credentials;
}

export function createApi(options: ApiOptions): ClusterApi {
  const base = new URL(options.server);
  const secure = base.protocol === 'https:';
  let agent: { of: string; agent: Promise<http.Agent> } | null = null;

  /** Client certificates belong to the connection: another one needs another agent. */
  function agentFor(proof: Proof): Promise<http.Agent> {
    const of = proof.cert ?? '';
    if (agent?.of === of) return agent.agent;
    close();
    const kept = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS };
    const made = openAgent({
      ...kept,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(proof.cert === undefined ? {} : { cert: proof.cert, key: proof.key }),
      ...(options.serverName === undefined ? {} : { servername: options.serverName }),
      rejectUnauthorized: !options.insecure,
    });
    agent = { of, agent: made };
    made.catch(close);
    return made;
  }

  async function openAgent(settings: https.AgentOptions): Promise<http.Agent> {
    const proxy = options.proxyUrl ? namedProxy(options.proxyUrl) : proxyFor(base, options.env ?? {});
    if (proxy === null) return secure ? new https.Agent(settings) : new http.Agent(settings);
    const { openProxyAgent } = await import('@hangar/worker/proxy-agent');
    return openProxyAgent(proxy, secure, settings);
  }

  function close(): void {
    agent?.agent.then((open) => open.destroy()).catch(() => undefined);
    agent = null;
  }

  async function once(method: string, path: string, call: Call, proof: Proof, signal: AbortSignal) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(call.query ?? {})) if (value !== undefined) query.set(name, value);
    const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body));
    const through = await agentFor(proof);
    return new Promise<http.IncomingMessage>((resolve, reject) => {
      // A request that still waits for its way through a proxy has no socket to be told by.
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const request = (secure ? https : http).request(
        {
          ...{ host: base.hostname.replace(/^\[|\]$/g, ''), port: base.port || undefined, method, signal },
          path: `${base.pathname.replace(/\/$/, '')}${path}${query.size > 0 ? `?${query}` : ''}`,
          agent: through,
          headers: {
            Accept: 'application/json',
            'User-Agent': 'hangar',
            ...(proof.authorization === undefined ? {} : { Authorization: proof.authorization }),
            ...(body ? { 'Content-Type': call.type ?? 'application/json', 'Content-Length': String(body.length) } : {}),
          },
        },
        resolve,
      );
      request.once('error', (error) => reject(Object.assign(error, { stale: request.reusedSocket })));
      request.end(body ?? undefined);
    });
  }

  /** Sends until there is an answer worth giving back, and waits for its head. */
  async function send(method: string, path: string, call: Call, signal: AbortSignal): Promise<http.IncomingMessage> {
    let renewed = false;
    let reopened = false;
    for (let busy = 0; ; ) {
      let response: http.IncomingMessage;
      try {
        response = await once(method, path, call, await options.credentials({ fresh: renewed }), signal);
      } catch (error) {
        // The server closed a connection that was kept: it has not seen this call.
        const code = error instanceof Error && 'code' in error ? error.code : '';
        if (reopened || !(error instanceof Error && 'stale' in error && error.stale) || code !== 'ECONNRESET')
          throw error;
        reopened = true;
        continue;
      }
      const status = response.statusCode ?? 0;
      if (status < 400) return response;
      const parsed = z
        .object({ message: z.string().catch(''), reason: z.string().catch('') })
        .safeParse(parseJson((await readAll(response)).toString('utf8')));
      const { message, reason } = parsed.success ? parsed.data : { message: '', reason: '' };
      if (status === 401 && !renewed) {
        renewed = true;
        continue;
      }
      if (status === 429 && ++busy < BUSY_TRIES) {
        const seconds = Number(response.headers['retry-after']);
        await sleep(Math.min(10_000, (seconds > 0 ? seconds : 1) * 1000) * (0.75 + Math.random() / 2), undefined, {
          signal,
        });
        continue;
      }
      const said = message.slice(0, 2_000) || `it answered ${status}`;
      if (status < 500) throw new ApiError(status, reason, said);
      throw new HangarError('driver_unavailable', {
        message: `The Kubernetes API server at ${options.server} cannot serve: ${said}.`,
        wayOut: WAIT,
      });
    }
  }

  async function whole(method: string, path: string, call: Call): Promise<string> {
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(call.deadlineMs ?? DEADLINE_MS)]);
    try {
      return (await readAll(await send(method, path, call, signal))).toString('utf8');
    } catch (error) {
      throw unreachable(error, call.signal);
    }
  }

  function unreachable(error: unknown, signal: AbortSignal): unknown {
    const byProxy = error instanceof HangarError && error.code.startsWith('proxy_');
    if (error instanceof ApiError || (error instanceof HangarError && !byProxy)) return error;
    // The caller's own abort is passed on as it is; a deadline of ours is the fault of the server.
    if (signal.aborted) return signal.reason;
    return new HangarError('driver_unavailable', {
      message: `The Kubernetes API server at ${options.server}: ${why(error).replace(/\.$/, '')}.`,
      wayOut: byProxy ? error.wayOut : WAIT,
      cause: error,
    });
  }

  return {
    server: options.server,
    async json(method, path, call) {
      const text = await whole(method, path, call);
      const value = parseJson(text);
      if (value !== null || text === '') return value;
      throw new HangarError('driver_unavailable', {
        message: `What answers at ${options.server} is not a Kubernetes API server.`,
      });
    },
    text: (path, call) => whole('GET', path, call),
    async stream(path, call) {
      const late = new AbortController();
      const timer = setTimeout(
        () => late.abort(new DOMException('no answer in time', 'TimeoutError')),
        call.deadlineMs ?? DEADLINE_MS,
      );
      try {
        return await send('GET', path, call, AbortSignal.any([call.signal, late.signal]));
      } catch (error) {
        throw unreachable(error, call.signal);
      } finally {
        clearTimeout(timer);
      }
    },
    close,
  };
}

/** The proxy-url of a kubeconfig. @throws HangarError proxy_invalid */
function namedProxy(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new HangarError('proxy_invalid', {
    message: 'The proxy-url of the kubeconfig is no address of an HTTP proxy.',
    wayOut: 'Set it to http://HOST:PORT or https://HOST:PORT.',
  });
}

async function readAll(response: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > LONGEST_ANSWER) throw new Error(`its answer is longer than ${LONGEST_ANSWER} bytes`);
  }
  return Buffer.concat(chunks);
}

function why(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words: Record<string, string> = {
    ECONNREFUSED: 'the connection was refused',
    ENOTFOUND: 'the host name is unknown',
    EAI_AGAIN: 'the host name cannot be looked up',
    EHOSTUNREACH: 'the host is out of reach',
    ENETUNREACH: 'the network is out of reach',
    ETIMEDOUT: 'no answer in time',
    ECONNRESET: 'the connection was cut',
    EPIPE: 'the connection was cut',
    ABORT_ERR: 'no answer in time',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an authority that the kubeconfig does not name',
    SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an authority that the kubeconfig does not name',
    CERT_HAS_EXPIRED: 'its certificate has expired',
  };
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  return words[code] ?? (error instanceof Error ? error.message : String(error));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
