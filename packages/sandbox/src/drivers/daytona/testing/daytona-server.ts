import { spawn } from 'node:child_process';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { type Answer, refuse } from './answers.ts';
import { type ControlPlane, createControlPlane, type FakeSandbox } from './control-plane.ts';
import { json } from './files.ts';
import type { Organization } from './organization.ts';
import { endTree } from './processes.ts';
import { field, type SessionFaults } from './sessions.ts';
import { acceptWebSocket, type Socket } from './websocket.ts';

/** What goes wrong, for tests; all off at first. */
export interface Faults extends SessionFaults {
  /** The answer to every request of the control plane, before anything is done. */
  answerAll: Answer | null;
  /** The same for creates alone. */
  answerCreate: Answer | null;
  /** A sandbox is made, and the connection is cut before its answer. */
  cutCreate: boolean;
  /** Cuts a download in the middle. */
  cutDownloads: boolean;
}

export interface DaytonaServer extends AsyncDisposable {
  /** For the setting `apiUrl`. */
  readonly url: string;
  readonly key: string;
  readonly faults: Faults;
  readonly organization: Organization;
  readonly control: ControlPlane;
  /** Method and path of every request, in order. */
  readonly requests: readonly string[];
}

const MOST_BODY = 64 * 1024 * 1024;
const EXECUTE_SECONDS = 10;
const PTY_PROTOCOL = 'X-Daytona-Pty-Exit-Control';

/**
 * A server that speaks the protocol of Daytona as its SDK 0.216 does, and is nowhere looser: sandboxes are folders of this machine, and
 * commands really run in them.
 */
export async function startDaytonaServer(o: { graceMs?: number } = {}): Promise<DaytonaServer> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'daytona-server-'));
  const key = 'dtn_0123456789abcdef';
  const faults: Faults = {
    ...{ answerAll: null, answerCreate: null, cutCreate: false, cutDownloads: false },
    ...{ frameBytes: null, cutLogsAfter: null, silentLogs: false },
  };
  const organization: Organization = {
    ...{ snapshots: ['daytona-small'], images: ['debian:12'], mostCpu: 10, mostSandboxes: 20, mostMemoryEach: 8 },
    ...{ sandboxClass: 'container', hasTtl: true, becomes: { state: 'started' } },
  };
  const requests: string[] = [];
  let base = '';
  const toolboxUrl = () => `${base}/toolbox`;
  const control = createControlPlane({ folder, toolboxUrl, organization, faults, graceMs: o.graceMs ?? 5_000 });

  const hasKey = ({ headers }: http.IncomingMessage) => headers.authorization === `Bearer ${key}`;

  /** The sandbox behind a path of its toolbox, or why there is none. */
  function toolbox(pathname: string): { sandbox: FakeSandbox; route: string } | Answer {
    const [, id = '', route = ''] = /^\/toolbox\/([^/]+)(\/.*)$/.exec(pathname) ?? [];
    const sandbox = control.sandboxes.get(id);
    if (!sandbox) return refuse(404, `sandbox ${id} not found`, undefined, 'DAYTONA_PROXY');
    if (sandbox.dto.state !== 'started') {
      return refuse(400, `failed to get runner info: sandbox is not started`, undefined, 'DAYTONA_PROXY');
    }
    sandbox.dto.lastActivityAt = new Date().toISOString();
    return { sandbox, route };
  }

  async function answer(request: http.IncomingMessage, body: Buffer): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url ?? '/', base);
    const method = request.method ?? 'GET';
    const type = request.headers['content-type'] ?? '';
    if (!hasKey(request)) return refuse(401, 'Invalid credentials', undefined, 'DAYTONA_API');
    if (pathname.startsWith('/toolbox/')) {
      const found = toolbox(pathname);
      if ('status' in found) return found;
      return (await atToolbox(found, method, searchParams, type, body)) ?? refuse(404, 'page not found');
    }
    if (!pathname.startsWith('/api/')) return refuse(404, 'Not Found', undefined, 'DAYTONA_API');
    if (faults.answerAll !== null) return faults.answerAll;
    const route = pathname.slice('/api'.length);
    const isCreate = method === 'POST' && route === '/sandbox';
    if (isCreate && faults.answerCreate !== null) return faults.answerCreate;
    if (body.length > 0 && !/^application\/json/i.test(type))
      return refuse(415, 'Content-Type must be application/json');
    if (body.length > 0 && json(body) === null) return refuse(400, 'Unexpected end of JSON input');
    const said = await control.answer(method, route, searchParams, json(body));
    if (isCreate && faults.cutCreate) request.socket.destroy();
    return said ?? refuse(404, `Cannot ${method} ${pathname}`, undefined, 'DAYTONA_API');
  }

  async function atToolbox(
    { sandbox, route }: { sandbox: FakeSandbox; route: string },
    method: string,
    query: URLSearchParams,
    type: string,
    body: Buffer,
  ): Promise<Answer | null> {
    const filed = await sandbox.files.answer(method, route, query, type, body);
    if (filed !== null) return filed;
    if (method === 'POST' && !/^application\/json/i.test(type))
      return refuse(415, 'Content-Type must be application/json');
    if (route === '/work-dir' || route === '/user-home-dir') return { status: 200, body: { dir: sandbox.folder } };
    if (route === '/system/metrics' && method === 'GET') return metrics(sandbox);
    const { sessions, terminals } = sandbox;
    const given = json(body);
    if (method === 'POST' && body.length > 0 && given === null) return refuse(400, 'invalid request body');
    if (route === '/process/execute' && method === 'POST') return execute(sandbox, given);
    const resized = /^\/process\/pty\/([^/]+)(\/resize)?$/.exec(route);
    if (resized?.[1] !== undefined) {
      const isResize = resized[2] !== undefined;
      if (method === 'POST') return isResize ? terminals.resize(resized[1], given) : null;
      if (isResize) return null;
      return method === 'GET' ? terminals.info(resized[1]) : method === 'DELETE' ? terminals.remove(resized[1]) : null;
    }
    const [, id, rest = ''] = /^\/process\/session(?:\/([^/]+))?(\/.*)?$/.exec(route) ?? [];
    if (id === undefined) {
      if (route !== '/process/session') return null;
      return method === 'POST' ? sessions.create(given) : method === 'GET' ? sessions.list() : null;
    }
    if (rest === '') return method === 'GET' ? sessions.get(id) : method === 'DELETE' ? sessions.remove(id) : null;
    if (rest === '/exec' && method === 'POST') return sessions.execute(id, given);
    const [, command = '', what] = /^\/command\/([^/]+)(?:\/(input|logs))?$/.exec(rest) ?? [];
    if (command === '') return null;
    if (what === 'input') return method === 'POST' ? sessions.input(id, command, given) : null;
    if (method !== 'GET') return null;
    return what === 'logs' ? sessions.logs(id, command) : sessions.command(id, command);
  }

  function send(response: http.ServerResponse, said: Answer): void {
    const bytes =
      said.raw?.bytes ?? (said.body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(said.body)));
    const type = said.raw?.type ?? 'application/json; charset=utf-8';
    response.writeHead(said.status, {
      ...(bytes.length > 0 ? { 'Content-Type': type } : {}),
      ...said.headers,
      'Content-Length': bytes.length,
    });
    if (!faults.cutDownloads || !type.startsWith('multipart/')) return void response.end(bytes);
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
  }

  /** What a WebSocket may be opened for, or why not. */
  function wanted(
    request: http.IncomingMessage,
  ): { protocol: string | null; serve: (socket: Socket) => void } | Answer {
    const { pathname, searchParams } = new URL(request.url ?? '/', base);
    if (!hasKey(request)) return refuse(401, '');
    const found = toolbox(pathname);
    if ('status' in found) return found;
    const { sessions, terminals } = found.sandbox;
    if (found.route === '/process/pty/create-connect') {
      const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
      const protocol = offered.includes(PTY_PROTOCOL) ? PTY_PROTOCOL : null;
      const serve = (socket: Socket) => void terminals.createConnect(searchParams, socket);
      return terminals.canCreate(searchParams) ?? { protocol, serve };
    }
    const [, id, command] = /^\/process\/session\/([^/]+)\/command\/([^/]+)\/logs$/.exec(found.route) ?? [];
    if (id === undefined || command === undefined || searchParams.get('follow') !== 'true') return refuse(404, '');
    const serve = (socket: Socket) => void sessions.follow(id, command, socket);
    return sessions.canFollow(id, command) ?? { protocol: null, serve };
  }

  function upgrade(request: http.IncomingMessage, socket: Duplex): void {
    socket.on('error', () => {});
    requests.push(`WS ${new URL(request.url ?? '/', base).pathname}`);
    const found = wanted(request);
    if ('status' in found) {
      const { status } = found;
      const lines = [`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`, 'Content-Length: 0', 'Connection: close'];
      socket.end(`${lines.join('\r\n')}\r\n\r\n`);
      return;
    }
    const accepted = acceptWebSocket(request, socket, found.protocol);
    if (accepted !== null) found.serve(accepted);
  }

  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    requests.push(`${request.method} ${pathname}`);
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > MOST_BODY) request.destroy();
      else chunks.push(chunk);
    });
    request.on('end', () => {
      answer(request, Buffer.concat(chunks)).then(
        (said) => send(response, said),
        (error: unknown) => send(response, refuse(500, String(error))),
      );
    });
  });
  server.on('upgrade', upgrade);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;

  return {
    ...{ url: `${base}/api`, key, faults, organization, control, requests },
    async [Symbol.asyncDispose]() {
      await control.dispose();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Both streams in one, and an end by the clock of the server. */
async function execute({ folder, env }: FakeSandbox, body: unknown): Promise<Answer> {
  const command = field(body, 'command');
  if (command === null || command.trim() === '') return refuse(400, 'command is required');
  const seconds = Number(Object(body).timeout ?? EXECUTE_SECONDS);
  if (!(seconds >= 0)) return refuse(400, 'timeout must not be negative');
  const more = Object.entries(Object(Object(body).envs)).map(([name, value]) => [name, String(value)]);
  const child = spawn('sh', ['-c', command], {
    ...{ cwd: field(body, 'cwd') ?? folder, env: { ...env, ...Object.fromEntries(more) }, detached: true },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    if (child.pid !== undefined) void endTree(child.pid, 0);
  }, seconds * 1000);
  if (seconds === 0) clearTimeout(timer);
  const exitCode = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(-1));
    child.on('close', (code) => resolve(code ?? -1));
  });
  clearTimeout(timer);
  if (isLate) return refuse(408, 'command execution timeout', 'PROCESS_EXECUTION_TIMEOUT');
  return { status: 200, body: { exitCode, result: Buffer.concat(chunks).toString('utf8') } };
}

async function metrics({ dto, folder }: FakeSandbox): Promise<Answer> {
  const disk = await statfs(folder);
  const now = new Date();
  const total = disk.blocks * disk.bsize;
  const free = disk.bavail * disk.bsize;
  return {
    status: 200,
    body: {
      ...{ cpuCount: dto.cpu, cpuUsedPct: 50, memTotal: dto.memory * 1024 ** 3, memUsed: 64 * 1024 ** 2, memCache: 0 },
      ...{ diskTotal: total, diskUsed: total - free, diskFree: free },
      ...{ timestamp: now.toISOString(), timestampUnix: Math.floor(now.getTime() / 1000) },
    },
  };
}
