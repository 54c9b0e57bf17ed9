import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { createAgents, type WayOptions } from './agents.ts';
import type { Credentials, Proof } from './credentials.ts';
import { openSocket } from './socket.ts';
import { why } from './why.ts';

const DEADLINE_MS = 30_000;
/** A page of a list is far shorter. */
const LONGEST_ANSWER = 64 * 1024 * 1024;
/** How often a busy API server is asked again, within the deadline of the call. */
const BUSY_TRIES = 5;
const WAIT = 'It is asked again by itself. Check that the cluster is up and that this machine reaches it.';

export interface Call {
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: unknown;
  /** Of the body; application/json when not said. Patches need their own. */
  readonly type?: string;
  readonly signal: AbortSignal;
  /** Of the whole answer; with `stream` and `socket` until its head is there. 30 s when not said. */
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
  /**
   * A WebSocket, paused until its owner listens; `signal` is heard until it is open.
   * @throws HangarError connection_lost, too: it broke when what was asked for may have begun
   */
  socket(path: string, call: Call & { readonly protocol: string }): Promise<WebSocket>;
  /** Ends idle connections. A call after it opens new ones. */
  close(): void;
}

export interface ApiOptions extends WayOptions {
  readonly server: string;
  readonly credentials: Credentials;
}

interface Answer<T> {
  readonly response: http.IncomingMessage;
  /** What the caller wants of it, where it is a yes. */
  readonly value: T;
}

const Refusal = z.object({ message: z.string().catch(''), reason: z.string().catch('') });

export function createApi(options: ApiOptions): ClusterApi {
  const base = new URL(options.server);
  const secure = base.protocol === 'https:';
  const agents = createAgents(base, options);

  const headersOf = (proof: Proof): Record<string, string> => ({
    'User-Agent': 'hangar',
    ...(proof.authorization === undefined ? {} : { Authorization: proof.authorization }),
  });

  function pathOf(path: string, call: Call): string {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(call.query ?? {}))
      for (const one of value === undefined ? [] : [value].flat()) query.append(name, one);
    return `${base.pathname.replace(/\/$/, '')}${path}${query.size > 0 ? `?${query}` : ''}`;
  }

  async function once(method: string, path: string, call: Call, proof: Proof, signal: AbortSignal) {
    const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body));
    const through = await agents.of(proof, 'calls');
    return new Promise<Answer<http.IncomingMessage>>((resolve, reject) => {
      // A request that still waits for its way through a proxy has no socket to be told by.
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const request = (secure ? https : http).request(
        {
          ...{ host: base.hostname.replace(/^\[|\]$/g, ''), port: base.port || undefined, method, signal },
          path: pathOf(path, call),
          agent: through,
          headers: {
            Accept: 'application/json',
            ...headersOf(proof),
            ...(body ? { 'Content-Type': call.type ?? 'application/json', 'Content-Length': String(body.length) } : {}),
          },
        },
        (response) => resolve({ response, value: response }),
      );
      request.once('error', (error) => reject(Object.assign(error, { stale: request.reusedSocket })));
      request.end(body ?? undefined);
    });
  }

  /** Tries until there is an answer worth giving back, and waits for its head. */
  async function send<T>(attempt: (proof: Proof) => Promise<Answer<T>>, signal: AbortSignal): Promise<T> {
    let renewed = false;
    let reopened = false;
    for (let busy = 0; ; ) {
      let answer: Answer<T>;
      try {
        answer = await attempt(await options.credentials({ fresh: renewed }));
      } catch (error) {
        // The server closed a connection that was kept: it has not seen this call.
        const code = error instanceof Error && 'code' in error ? error.code : '';
        if (reopened || !(error instanceof Error && 'stale' in error && error.stale) || code !== 'ECONNRESET')
          throw error;
        reopened = true;
        continue;
      }
      const { response } = answer;
      const status = response.statusCode ?? 0;
      if (status < 400) return answer.value;
      const text = (await readAll(response)).toString('utf8');
      const parsed = Refusal.safeParse(parseJson(text));
      const plain = text.trimStart().startsWith('<') ? '' : text.slice(0, 200).trim();
      const { message, reason } = parsed.success ? parsed.data : { message: plain, reason: '' };
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
      const answer = await send((proof) => once(method, path, call, proof, signal), signal);
      return (await readAll(answer)).toString('utf8');
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
      try {
        return await inTime(call, (signal) => send((proof) => once('GET', path, call, proof, signal), signal));
      } catch (error) {
        throw unreachable(error, call.signal);
      }
    },
    async socket(path, call) {
      let isSent = false;
      try {
        return await inTime(call, (signal) =>
          send(async (proof) => {
            isSent = false;
            const url = `${secure ? 'wss' : 'ws'}://${base.host}${pathOf(path, call)}`;
            const answer = await openSocket(url, {
              ...{
                agent: await agents.of(proof, 'sockets'),
                headers: headersOf(proof),
                signal,
                protocol: call.protocol,
              },
              onSent: () => {
                isSent = true;
              },
            });
            const status = answer.response.statusCode ?? 0;
            if (status === 101 || status >= 400) return answer;
            isSent = false;
            throw new Error(`it answered ${status} and opened nothing`);
          }, signal),
        );
      } catch (error) {
        const told = unreachable(error, call.signal);
        if (!isSent || told === error || call.signal.aborted) throw told;
        throw new HangarError('connection_lost', {
          message: `The Kubernetes API server at ${options.server} broke off: ${why(error).replace(/\.$/, '')}.`,
          cause: error,
        });
      }
    },
    close: agents.close,
  };
}

/** With the deadline of a call for its head; what comes after has none. */
async function inTime<T>(call: Call, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new DOMException('no answer in time', 'TimeoutError')),
    call.deadlineMs ?? DEADLINE_MS,
  );
  try {
    return await work(AbortSignal.any([call.signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
