import { createWriteStream } from 'node:fs';
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fromWire, HangarError, proxyFor } from '@hangar/contract';
import { inTime, within } from '../deadline.ts';

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** The system takes up to so much of a body at once; what became of it shows only when the answer comes. */
const SYSTEM_BUFFER_BYTES = 4 * 1024 * 1024;
/** The slowest link that counts as one, in bytes a millisecond. */
const SLOWEST = 32;

export interface Outgoing {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Below /api/worker. */
  readonly path: string;
  /** Without a byte either way for so long, beyond what a slow link needs for the body, the connection is taken for dead. */
  readonly silenceMs: number;
  readonly json?: unknown;
  /** Made anew for each try. */
  readonly body?: () => Buffer | Readable;
  readonly bodyBytes?: number;
  readonly jsonBody?: boolean;
  readonly headers?: Record<string, string>;
  /** The answer's bytes go here. */
  readonly toFile?: string;
}

export interface Answer {
  readonly status: number;
  json(): unknown;
  /** The Hangar error in the answer, if it is one. */
  error(): HangarError | null;
}

interface Transport {
  request(options: RequestOptions, answered: (message: IncomingMessage) => void): ClientRequest;
  readonly agent: Agent;
}

/** One HTTP call at a time each, over TCP or a unix socket, on kept connections. Never follows a redirect. */
export class HttpClient {
  readonly #token: string;
  readonly #url: URL | null;
  readonly #socketPath: string | null;
  readonly #env: NodeJS.ProcessEnv;
  #transport: Promise<Transport> | null = null;

  /** @param env says whether a proxy stands before the server */
  constructor(url: string, token: string, env: NodeJS.ProcessEnv = {}) {
    this.#token = token;
    this.#env = env;
    this.#socketPath = url.startsWith('unix:') ? url.slice('unix:'.length) : null;
    this.#url = this.#socketPath === null ? new URL(url) : null;
  }

  /** Rejects when no whole answer came. */
  async call(out: Outgoing, signal: AbortSignal): Promise<Answer> {
    this.#transport ??= openTransport(this.#url, this.#env);
    const { request, agent } = await this.#transport;
    const body = out.json === undefined ? out.body?.() : Buffer.from(JSON.stringify(out.json));
    const length = Buffer.isBuffer(body) ? body.length : out.bodyBytes;
    const watch = new Watch(out.silenceMs + Math.min(length ?? 0, SYSTEM_BUFFER_BYTES) / SLOWEST);
    const limit = within([signal, watch.signal], Number.POSITIVE_INFINITY);
    try {
      return await this.#exchange(out, request, agent, body, length, watch, limit.signal);
    } catch (error) {
      // What broke this call broke the connections that are kept for later too: each would cost its silence again.
      for (const kept of Object.values(agent.freeSockets)) for (const socket of kept ?? []) socket.destroy();
      throw error;
    } finally {
      watch.done();
      limit.done();
    }
  }

  async #exchange(
    out: Outgoing,
    request: Transport['request'],
    agent: Agent,
    body: Buffer | Readable | undefined,
    length: number | undefined,
    watch: Watch,
    signal: AbortSignal,
  ): Promise<Answer> {
    const asked = new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(
        {
          ...(this.#url
            ? { hostname: this.#url.hostname.replace(/^\[|\]$/g, ''), port: this.#url.port }
            : { socketPath: this.#socketPath ?? '' }),
          agent,
          method: out.method,
          path: `${this.#url?.pathname.replace(/\/+$/, '') ?? ''}/api/worker${out.path}`,
          headers: {
            host: this.#url?.host ?? 'localhost',
            authorization: `Bearer ${this.#token}`,
            ...(out.json !== undefined || out.jsonBody ? { 'content-type': 'application/json' } : {}),
            ...(length === undefined ? {} : { 'content-length': String(length) }),
            ...out.headers,
          },
          signal,
        },
        resolve,
      );
      sent.on('error', reject);
      sent.on('socket', (socket) => watch.follow(socket));
      if (body === undefined || Buffer.isBuffer(body)) sent.end(body);
      else pipeline(body, sent).catch(reject);
    });
    // A request that waits for its socket, as behind a proxy, tells of an abort only when it has one.
    const answer = await inTime(asked, signal);
    const status = answer.statusCode ?? 0;
    if (out.toFile !== undefined && status < 300) {
      await pipeline(answer, createWriteStream(out.toFile, { mode: 0o600 }), { signal });
      return readable(status, '');
    }
    return readable(status, await readAll(answer));
  }

  close(): void {
    this.#transport?.then(({ agent }) => agent.destroy()).catch(() => undefined);
  }
}

/** Aborts when nothing has moved on a connection for so long. */
class Watch {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #socket: Socket | null = null;
  #moved = 0;
  #movedAt = performance.now();

  constructor(silenceMs: number) {
    this.#timer = setInterval(() => {
      const moved = (this.#socket?.bytesRead ?? 0) + (this.#socket?.bytesWritten ?? 0);
      if (moved !== this.#moved) this.#movedAt = performance.now();
      else if (performance.now() - this.#movedAt >= silenceMs)
        this.#controller.abort(new Error('The server says nothing'));
      this.#moved = moved;
    }, silenceMs / 8);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  follow(socket: Socket): void {
    this.#socket = socket;
  }
  done(): void {
    clearInterval(this.#timer);
  }
}

async function openTransport(url: URL | null, env: NodeJS.ProcessEnv): Promise<Transport> {
  // Loaded on demand: TLS is most of what there is to load, and workers on the same machine never need it.
  const secure = url?.protocol === 'https:';
  const { Agent: KeptAgent, request } = secure ? await import('node:https') : await import('node:http');
  const kept = { keepAlive: true, maxSockets: 8 };
  const proxy = url && proxyFor(url, env);
  if (!proxy) return { request, agent: new KeptAgent(kept) };
  const { openProxyAgent } = await import('./proxy-agent.ts');
  return { request, agent: await openProxyAgent(proxy, secure, kept) };
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES) throw new HangarError('bad_request', { message: 'The answer is too large.' });
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function readable(status: number, text: string): Answer {
  const json = (): unknown => JSON.parse(text);
  return {
    status,
    json,
    error: () => {
      try {
        return fromWire(json());
      } catch {
        return null;
      }
    },
  };
}
