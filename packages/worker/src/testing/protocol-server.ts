import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  ClaimInput,
  Finish,
  HangarError,
  Heartbeat,
  LogBatch,
  Report,
  toWire,
  type WorkerLine,
  WorkOrder,
} from '@hangar/contract';

export interface StoredArtifact {
  readonly kind: string;
  readonly partial: boolean;
  readonly bytes: Buffer;
}

/** What goes wrong with a request before it is answered. `after`: it is carried out, but the answer never arrives. */
export type Mishap = 'drop' | 'after' | '500' | '503' | null;

/**
 * The server's side of the worker protocol, strict: every body must fit its schema, batches must come in order, an order is
 * given to one worker only. Can lose answers, fail and restart.
 */
export class ProtocolServer {
  readonly token = 'tok_5f3c9a1e77b24d0fa1';
  readonly order: WorkOrder;
  readonly uploads: { bundle?: string; patch?: string } = {};
  readonly lines: WorkerLine[] = [];
  readonly reports: Report[] = [];
  readonly artifacts = new Map<string, StoredArtifact>();
  /** Broken rules. A test that ends with any has found a bug. */
  readonly complaints: string[] = [];
  readonly requests: string[] = [];
  finish: Finish | null = null;
  mishap: (path: string, n: number) => Mishap = () => null;
  cancel: { reason: string } | null = null;
  fenced = false;
  claims = 0;
  duplicates = 0;
  #owner: string | null = null;
  #acked = 0;
  #count = 0;
  #server: Server | null = null;
  #sockets = new Set<Socket>();
  #where: { port: number } | { path: string } | null = null;
  #wake: (() => void)[] = [];

  constructor(order: WorkOrder) {
    this.order = WorkOrder.parse(order);
  }

  /** @param socket path of a unix socket; a TCP port of the system's choice otherwise. @returns HANGAR_WORKER_URL */
  async start(socket?: string): Promise<string> {
    const server = createServer((request, response) => {
      void this.#handle(request, response).catch((error: unknown) => {
        this.complaints.push(String(error));
        response.destroy();
      });
    });
    server.on('connection', (connection) => {
      this.#sockets.add(connection);
      connection.on('close', () => this.#sockets.delete(connection));
    });
    const where = this.#where ?? (socket === undefined ? { port: 0 } : { path: socket });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if ('path' in where) server.listen(where.path, resolve);
      else server.listen(where.port, '127.0.0.1', resolve);
    });
    this.#server = server;
    if ('path' in where) {
      this.#where = where;
      return `unix:${where.path}`;
    }
    this.#where = { port: (server.address() as AddressInfo).port };
    return `http://127.0.0.1:${this.#where.port}`;
  }

  /** Like kill -9: every connection is cut. What was stored stays. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.#server = null;
  }

  cancelWith(reason: string): void {
    this.cancel = { reason };
    for (const wake of this.#wake.splice(0)) wake();
  }

  texts(stream: WorkerLine['stream']): string[] {
    return this.lines.filter((line) => line.stream === stream).map((line) => line.text);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://x');
    const path = url.pathname.replace('/api/worker', '');
    const mishap = this.mishap(path, ++this.#count);
    this.requests.push(path);
    if (mishap === 'drop') {
      request.socket.destroy();
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    if (mishap === '500' || mishap === '503') {
      response.writeHead(Number(mishap)).end('no');
      return;
    }
    const answer = await this.#answer(request, url, path, Buffer.concat(parts));
    if (mishap === 'after') {
      request.socket.destroy();
      return;
    }
    if (Buffer.isBuffer(answer)) response.writeHead(200, { 'content-length': answer.length }).end(answer);
    else if (answer instanceof HangarError)
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(toWire(answer)));
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  async #answer(request: IncomingMessage, url: URL, path: string, body: Buffer): Promise<unknown> {
    if (request.headers.authorization !== `Bearer ${this.token}`) return new HangarError('worker_token_invalid');
    if (this.fenced) return new HangarError('worker_fenced');
    const json = () => JSON.parse(body.toString('utf8')) as unknown;
    if (path === '/claim') {
      const { workerId } = ClaimInput.parse(json());
      this.claims++;
      if (this.#owner !== null && this.#owner !== workerId) return new HangarError('worker_fenced');
      this.#owner = workerId;
      return this.order;
    }
    if (this.#owner === null) throw new Error(`${path} before claim`);
    if (path.startsWith('/uploads/')) {
      const file = this.uploads[path.endsWith('bundle') ? 'bundle' : 'patch'];
      return file ? readFileSync(file) : new HangarError('not_found');
    }
    if (path === '/logs') return this.#store(LogBatch.parse(json()));
    if (path === '/report') {
      this.reports.push(Report.parse(json()));
      return { done: true };
    }
    if (path === '/heartbeat') return await this.#heartbeat(Heartbeat.parse(json()));
    if (path.startsWith('/artifacts/')) return this.#keep(request, url, decodeURIComponent(path.slice(11)), body);
    if (path === '/finish') {
      this.finish = Finish.parse(json());
      if (this.finish.lastLogSeq !== this.#acked)
        this.complaints.push(`finish says ${this.finish.lastLogSeq} batches, stored are ${this.#acked}`);
      return { done: true };
    }
    throw new Error(`unknown route ${path}`);
  }

  #store(batch: LogBatch): unknown {
    if (this.finish) this.complaints.push('log after finish');
    if (batch.seq <= this.#acked) this.duplicates++;
    else if (batch.seq === this.#acked + 1) {
      this.#acked = batch.seq;
      this.lines.push(...batch.lines);
    } else this.complaints.push(`batch ${batch.seq} after ${this.#acked}`);
    return { acked: this.#acked };
  }

  async #heartbeat({ waitSeconds }: { waitSeconds: number }): Promise<unknown> {
    if (!this.cancel && waitSeconds > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitSeconds * 1000);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    return { cancel: this.cancel !== null, reason: this.cancel?.reason ?? null };
  }

  #keep(request: IncomingMessage, url: URL, name: string, bytes: Buffer): unknown {
    if (createHash('sha256').update(bytes).digest('hex') !== request.headers['x-content-sha256'])
      throw new Error(`${name}: hash does not fit`);
    this.artifacts.set(name, {
      kind: url.searchParams.get('kind') ?? '',
      partial: url.searchParams.get('partial') === 'true',
      bytes,
    });
    return { done: true };
  }
}
