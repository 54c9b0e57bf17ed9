import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { LABEL } from '../unit/labels.ts';

const PROTOCOL = 'v5.channel.k8s.io';
const NAMESPACE = 'n';
export const POD = 'hangar-s-1-1-abcde';
export const UNIT = 'hangar-s-1-1';
/** How much of one process's output is under way before it waits. */
const MOST_UNDER_WAY = 256 * 1024;

/** One process that was asked for. */
interface Asked {
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly socket: WebSocket;
  readonly resizes: unknown[];
  /** Bytes of output that were handed over to the connection. */
  sent: number;
  /** It hears and says nothing any more, and does not end either. */
  freeze(): void;
}

/**
 * An API server with one pod, whose processes run on this machine: what the documentation and the sources of Kubernetes 1.36 say of exec
 * over a WebSocket, and strict in what it takes. As the real one it reads no further, and so answers no ping, while a process leaves its
 * input unread.
 */
export class ExecServer {
  readonly asked: Asked[] = [];
  /** What a client did that the protocol does not have. */
  readonly wrong: string[] = [];
  /** Answers the next of these in place of opening a process. */
  readonly instead: ((socket: Duplex, request: http.IncomingMessage) => void)[] = [];
  readonly #watching = new Set<http.ServerResponse>();
  readonly #server: http.Server;
  readonly #processes = new Set<ChildProcessWithoutNullStreams>();
  #pod: object | null = podWith({ running: {} });
  #version = 1;

  constructor(tls?: https.ServerOptions) {
    const hear = (request: http.IncomingMessage, response: http.ServerResponse) => this.#answer(request, response);
    this.#server = tls ? https.createServer(tls, hear) : http.createServer(hear);
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, handleProtocols: () => PROTOCOL });
    this.#server.on('upgrade', (request, socket, head) => {
      const instead = this.instead.shift();
      if (instead) return instead(socket, request);
      const url = new URL(request.url ?? '', 'http://x');
      const offered = request.headers['sec-websocket-protocol'];
      if (url.pathname !== `/api/v1/namespaces/${NAMESPACE}/pods/${POD}/exec`) this.wrong.push(`path ${url.pathname}`);
      if (offered !== PROTOCOL) this.wrong.push(`protocol ${offered}`);
      if (request.headers['sec-websocket-extensions'] !== undefined) this.wrong.push('extensions');
      sockets.handleUpgrade(request, socket, head, (opened) => this.#run(opened, url.searchParams, request));
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }
  close(): void {
    for (const child of this.#processes) child.kill('SIGKILL');
    for (const { socket } of this.asked) socket.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** The state of its container; null: it is removed. */
  setPod(state: object | null): void {
    const before = this.#pod;
    this.#version += 1;
    this.#pod = state && podWith(state, this.#version);
    const event = { type: this.#pod ? 'MODIFIED' : 'DELETED', object: this.#pod ?? before };
    for (const response of this.#watching) response.write(`${JSON.stringify(event)}\n`);
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://x');
    const pods = `/api/v1/namespaces/${NAMESPACE}/pods`;
    if (url.pathname === `${pods}/${POD}` && this.#pod) return void response.end(JSON.stringify(this.#pod));
    if (url.pathname !== pods) {
      response.writeHead(404);
      return void response.end(JSON.stringify({ kind: 'Status', reason: 'NotFound', message: 'not found' }));
    }
    if (url.searchParams.get('watch') === '1') {
      this.#watching.add(response.once('close', () => this.#watching.delete(response)));
      response.writeHead(200).flushHeaders();
      return;
    }
    const metadata = { resourceVersion: String(this.#version) };
    response.end(JSON.stringify({ kind: 'PodList', metadata, items: this.#pod ? [this.#pod] : [] }));
  }

  #run(socket: WebSocket, query: URLSearchParams, { headers, socket: wire }: http.IncomingMessage): void {
    const asked: Asked = {
      ...{ query, headers, socket, resizes: [], sent: 0 },
      freeze() {
        wire.removeAllListeners('data').pause();
        child.stdout.destroy();
        child.stderr.destroy();
      },
    };
    this.asked.push(asked);
    const [program = '', ...args] = query.getAll('command');
    const wants = (name: string) => query.get(name) === 'true';
    if (query.get('container') !== 'worker' || !wants('stdout')) this.wrong.push(`query ${query}`);
    if (wants('tty') === wants('stderr')) this.wrong.push('a terminal has no stderr, and nothing else has none');

    const child = spawn(program, args, { stdio: 'pipe', detached: true });
    this.#processes.add(child);
    const say = (channel: number, bytes: Uint8Array, done?: () => void) =>
      socket.send(Buffer.concat([Buffer.from([channel]), bytes]), () => done?.());
    const end = (status: object) => {
      say(3, Buffer.from(JSON.stringify({ metadata: {}, ...status })), () => socket.close());
    };
    // It tells that the connection is there.
    say(1, Buffer.alloc(0));
    for (const [channel, stream] of [
      [1, child.stdout],
      [2, child.stderr],
    ] as const)
      stream.on('data', (bytes: Buffer) => {
        asked.sent += bytes.length;
        say(channel, bytes, () => stream.resume());
        if (socket.bufferedAmount > MOST_UNDER_WAY) stream.pause();
      });
    child.stdin.on('error', () => undefined);
    child.stdin.on('drain', () => socket.resume()).once('close', () => socket.resume());
    if (!wants('stdin')) child.stdin.end();
    child.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'ENOENT' ? 'executable file not found in $PATH' : 'permission denied';
      end({
        ...{ status: 'Failure', reason: 'InternalError', code: 500 },
        message: `Internal error occurred: failed to exec in container: OCI runtime exec failed: exec: "${program}": ${why}`,
      });
    });
    child.once('close', (code, signal) => {
      this.#processes.delete(child);
      if (child.pid === undefined) return;
      const told = code ?? (signal === 'SIGKILL' ? 137 : 143);
      if (told === 0) return end({ status: 'Success' });
      const causes = [{ reason: 'ExitCode', message: String(told) }];
      const message = `command terminated with non-zero exit code: exit status ${told}`;
      end({ status: 'Failure', reason: 'NonZeroExitCode', message, details: { causes } });
    });

    let isInputOver = !wants('stdin');
    socket.on('error', (error) => this.wrong.push(String(error)));
    socket.on('message', (data: Buffer, isBinary) => {
      const [channel = -1, of] = data;
      if (!isBinary) this.wrong.push('a message of text');
      if (channel === 0 && !isInputOver) {
        if (child.stdin.write(data.subarray(1)) || child.stdin.destroyed) return;
        socket.pause();
      } else if (channel === 255 && data.length === 2 && of === 0 && !isInputOver) {
        isInputOver = true;
        child.stdin.end();
      } else if (channel === 4 && wants('tty')) asked.resizes.push(JSON.parse(data.subarray(1).toString()));
      else this.wrong.push(`message ${data.subarray(0, 4).toString('hex')}`);
    });
  }
}

/** A refusal of Kubernetes; or with a text only that of its handshake. */
export function refuse(
  socket: Duplex,
  status: number,
  o: { reason?: string; text: string; retryAfter?: string },
): void {
  const body = o.reason === undefined ? o.text : JSON.stringify({ kind: 'Status', reason: o.reason, message: o.text });
  const more = o.retryAfter === undefined ? '' : `Retry-After: ${o.retryAfter}\r\n`;
  socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n${more}\r\n${body}`);
}

export const podWith = (state: object, version = 1): object => ({
  metadata: {
    ...{ name: POD, namespace: NAMESPACE, uid: 'u1', resourceVersion: String(version) },
    labels: { [LABEL.instance]: 'i_exec', [LABEL.unit]: UNIT, [LABEL.program]: 'hold' },
  },
  spec: { nodeName: 'node-1', containers: [{ name: 'worker', image: 'image:1', resources: {} }] },
  status: {
    phase: 'terminated' in state ? 'Failed' : 'Running',
    containerStatuses: [{ name: 'worker', state }],
  },
});
