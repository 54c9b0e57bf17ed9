import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { HangarError, proxyFor } from '@hangar/contract';
import { z } from 'zod';

/** Oldest API this client speaks (Engine 20.10), and the newest it was written against. */
const OLDEST_API = '1.41';
const NEWEST_API = '1.47';
/** Longer answers than this are not read: nothing that is asked here gives them. */
const LONGEST_ANSWER = 16 * 1024 * 1024;
const INFO_AGE_MS = 60_000;

export interface EngineInfo {
  readonly version: string;
  readonly api: string;
  /** As Node calls it: x64, arm64. */
  readonly arch: string;
  readonly os: string;
}

export interface Call {
  readonly query?: Record<string, string>;
  readonly body?: unknown;
  /** Sent as it is, as a tar archive. */
  readonly upload?: Readable;
  readonly headers?: Record<string, string>;
  readonly signal: AbortSignal;
  readonly deadlineMs?: number;
}

/** An answer of the Engine that is no success. Its text is for people; decide by `status`. */
export class EngineError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
  }
}

/** What of the Docker Engine API is used here. All calls have a deadline. @throws HangarError driver_unavailable, EngineError */
export interface Engine {
  readonly host: string;
  /** Whether the Engine is on this machine, so that folders of it can be mounted. */
  readonly isLocal: boolean;
  info(o: { signal: AbortSignal; fresh?: boolean }): Promise<EngineInfo>;
  /** Null for an empty answer. */
  json(method: string, path: string, call: Call): Promise<unknown>;
  bytes(path: string, call: Call): Promise<Buffer>;
  /** The body as it comes; the deadline is of the whole. */
  stream(method: string, path: string, call: Call): Promise<http.IncomingMessage>;
  /** A connection taken over from HTTP; the deadline is of the beginning. */
  upgrade(path: string, call: Call): Promise<Socket>;
}

const Refusal = z.object({ message: z.string() });
const Version = z.object({
  Version: z.string(),
  ApiVersion: z.string(),
  MinAPIVersion: z.string().optional(),
  Arch: z.string(),
  Os: z.string(),
});

/**
 * @param host unix:///…, tcp://…, http://… or https://…
 * @param env says whether a proxy stands before it
 */
export function createEngine(host: string, env: Readonly<Record<string, string | undefined>> = {}): Engine {
  const socketPath = host.startsWith('unix://') ? host.slice('unix://'.length) : null;
  const base = new URL(socketPath ? 'http://docker' : host.replace(/^tcp:/, 'http:'));
  const transport = base.protocol === 'https:' ? https : http;
  let known: { info: EngineInfo; at: number } | null = null;

  let way: Promise<http.Agent> | null = null;
  async function agent(): Promise<http.Agent | false> {
    const proxy = socketPath ? null : proxyFor(base, env);
    if (proxy === null) return false;
    // A connection is taken over from HTTP (attach): a proxy passes that on in a tunnel only.
    way ??= import('@hangar/worker/proxy-agent').then(({ openProxyAgent, openTunnelAgent }) =>
      base.protocol === 'https:' ? openProxyAgent(proxy, true) : openTunnelAgent(proxy),
    );
    return way;
  }

  function open(through: http.Agent | false, method: string, path: string, call: Call): http.ClientRequest {
    const deadlineMs = call.deadlineMs ?? 30_000;
    const query = call.query ? `?${new URLSearchParams(call.query)}` : '';
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(deadlineMs)]);
    const request = transport.request({
      ...(socketPath ? { socketPath } : { host: base.hostname, port: base.port || undefined }),
      ...{ method, path: `${base.pathname.replace(/\/$/, '')}${path}${query}`, signal, agent: through },
      headers: { Host: socketPath ? 'docker' : base.host, ...call.headers },
    });
    // A request that still waits for its way through a proxy has no socket to be told by.
    const late = () => request.emit('error', signal.reason);
    if (through !== false) {
      signal.addEventListener('abort', late, { once: true });
      request.once('socket', () => signal.removeEventListener('abort', late));
    }
    return request;
  }

  /** Sends and waits for the head of the answer. */
  async function send(method: string, path: string, call: Call): Promise<http.IncomingMessage> {
    const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body));
    const type = call.upload ? 'application/x-tar' : 'application/json';
    const headers = {
      ...(body || call.upload ? { 'Content-Type': type } : {}),
      ...(body ? { 'Content-Length': String(body.length) } : {}),
      ...call.headers,
    };
    const through = await agent().catch((error: unknown) => {
      call.upload?.destroy();
      throw unreachable(error, call.signal);
    });
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = open(through, method, path, { ...call, headers });
      request.on('response', resolve);
      request.on('error', reject);
      if (call.upload) {
        call.upload.on('error', (error) => request.destroy(error));
        call.upload.pipe(request);
      } else request.end(body ?? undefined);
    }).catch((error: unknown) => {
      call.upload?.destroy();
      throw unreachable(error, call.signal);
    });
    const status = response.statusCode ?? 0;
    if (status < 400) return response;
    call.upload?.destroy();
    const text = (await readAll(response, call.signal)).toString('utf8');
    throw refusal(status, text, call.signal);
  }

  async function readAll(response: http.IncomingMessage, signal: AbortSignal): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      for await (const chunk of response) {
        chunks.push(chunk);
        length += chunk.length;
        if (length > LONGEST_ANSWER) throw new Error(`its answer is longer than ${LONGEST_ANSWER} bytes`);
      }
    } catch (error) {
      throw unreachable(error, signal);
    }
    return Buffer.concat(chunks);
  }

  /** What no Engine says, such as a page of a proxy before it, proves nothing: not that what was asked for is missing. */
  function refusal(status: number, text: string, signal: AbortSignal): unknown {
    const said = Refusal.safeParse(parseJson(text));
    if (said.success)
      return new EngineError(status, said.data.message.trim().slice(0, 500) || `Docker answered ${status}`);
    return unreachable(new Error(`what answers ${status} is not a Docker Engine`), signal);
  }

  function unreachable(error: unknown, signal: AbortSignal): unknown {
    // The caller's own abort is passed on as it is; a deadline of ours is the Engine's fault.
    if (signal.aborted) return signal.reason;
    known = null;
    const byProxy = error instanceof HangarError && error.code.startsWith('proxy_');
    return new HangarError('driver_unavailable', {
      message: `Docker at ${host}: ${why(error).replace(/\.$/, '')}.`,
      ...(byProxy ? { wayOut: error.wayOut } : {}),
      cause: error,
    });
  }

  const engine: Engine = {
    host,
    isLocal: socketPath !== null,

    async info({ signal, fresh = false }) {
      if (!fresh && known && performance.now() - known.at < INFO_AGE_MS) return known.info;
      const answer = await readAll(await send('GET', '/version', { signal, deadlineMs: 10_000 }), signal);
      const parsed = Version.safeParse(parseJson(answer.toString('utf8')));
      if (!parsed.success) {
        throw new HangarError('driver_unavailable', { message: `What answers at ${host} is not a Docker Engine.` });
      }
      const { Version: version, ApiVersion, MinAPIVersion, Arch, Os } = parsed.data;
      const api = chooseApi(ApiVersion, MinAPIVersion ?? ApiVersion);
      if (api === null) {
        throw new HangarError('driver_unavailable', {
          message: `Docker Engine ${version} at ${host} is too old.`,
          wayOut: 'Hangar needs Docker Engine 20.10 or newer.',
        });
      }
      const arch = { amd64: 'x64', x86_64: 'x64', aarch64: 'arm64' }[Arch] ?? Arch;
      known = { info: { version, api, arch, os: Os }, at: performance.now() };
      return known.info;
    },

    async json(method, path, call) {
      const text = (await readAll(await engine.stream(method, path, call), call.signal)).toString('utf8');
      if (text === '') return null;
      const parsed = parseJson(text);
      if (parsed === null && text.trim() !== 'null')
        throw unreachable(new Error('its answer is not that of a Docker Engine'), call.signal);
      return parsed;
    },

    async bytes(path, call) {
      return readAll(await engine.stream('GET', path, call), call.signal);
    },

    async stream(method, path, call) {
      const { api } = await engine.info(call).catch((error: unknown) => {
        call.upload?.destroy();
        throw error;
      });
      return send(method, `/v${api}${path}`, call);
    },

    async upgrade(path, call) {
      const { api } = await engine.info(call);
      const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body));
      const typed = body ? { 'Content-Type': 'application/json', 'Content-Length': String(body.length) } : {};
      const headers = { Connection: 'Upgrade', Upgrade: 'tcp', ...typed, ...call.headers };
      const through = await agent().catch((error: unknown) => Promise.reject(unreachable(error, call.signal)));
      return new Promise<Socket>((resolve, reject) => {
        const request = open(through, 'POST', `/v${api}${path}`, { ...call, headers });
        request.on('upgrade', (_response, socket, head) => {
          socket.on('error', () => {});
          // What came together with the answer is the beginning of the stream.
          if (head.length > 0) socket.unshift(head);
          resolve(socket);
        });
        request.on('response', (response) => {
          readAll(response, call.signal).then(
            (answer) => reject(refusal(response.statusCode ?? 0, answer.toString('utf8'), call.signal)),
            reject,
          );
        });
        request.on('error', (error) => reject(unreachable(error, call.signal)));
        request.end(body ?? undefined);
      });
    },
  };
  return engine;
}

/** Null when there is no version that both sides speak. */
export function chooseApi(newest: string, oldest: string): string | null {
  const [theirs, least, ours, needed] = [newest, oldest, NEWEST_API, OLDEST_API].map((version) =>
    Number(version.split('.')[1]),
  );
  if (theirs === undefined || least === undefined || ours === undefined || needed === undefined) return null;
  if (!(theirs >= needed)) return null;
  // Newer Engines drop old versions; what is used here has not changed for years, so follow them.
  return `1.${Math.max(Math.min(theirs, ours), least)}`;
}

function why(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words: Record<string, string> = {
    ENOENT: 'there is no such socket; is Docker running',
    ECONNREFUSED: 'the connection was refused; is Docker running',
    EACCES: 'this user may not use the socket; add it to the group docker',
    ENOTFOUND: 'the host name is unknown',
    EHOSTUNREACH: 'the host is out of reach',
    ECONNRESET: 'the connection was cut',
    EPIPE: 'the connection was cut',
    ABORT_ERR: 'no answer in time',
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
