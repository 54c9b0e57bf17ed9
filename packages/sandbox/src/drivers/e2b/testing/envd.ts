import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { json, RpcError, readEnvelopes, type Send, STREAM_TYPE, streaming, unary } from './connect-protocol.ts';
import { FILESYSTEM, read, serveFiles } from './envd-files.ts';
import { Pty, StartRequest, startProcess } from './envd-process.ts';
import { type EnvdProcess, type FakeSandbox, isAccount } from './sandbox.ts';

const Selector = z.union([z.strictObject({ pid: z.int() }), z.strictObject({ tag: z.string() })]);
const Selected = z.strictObject({ process: Selector });
const Bytes = z.base64().transform((text) => Buffer.from(text, 'base64'));
const Input = z.union([z.strictObject({ stdin: Bytes }), z.strictObject({ pty: Bytes })]);
const SendInput = Selected.extend({ input: Input });
const StreamInput = z.union([
  z.strictObject({ start: Selected }),
  z.strictObject({ data: z.strictObject({ input: Input }) }),
  z.strictObject({ keepalive: z.strictObject({}) }),
]);
const SendSignal = Selected.extend({ signal: z.enum(['SIGNAL_SIGTERM', 'SIGNAL_SIGKILL']) });
const Update = Selected.extend({ pty: Pty.optional() });

type Call = (sandbox: FakeSandbox, account: string, message: unknown) => Promise<unknown>;

function find(sandbox: FakeSandbox, selector: z.infer<typeof Selector>): EnvdProcess {
  const found =
    'pid' in selector
      ? sandbox.processes.get(selector.pid)
      : [...sandbox.processes.values()].find(({ tag }) => tag === selector.tag);
  if (!found) throw new RpcError('not_found', `process with ${JSON.stringify(selector)} not found`);
  return found;
}

const inputTo = (one: EnvdProcess, input: z.infer<typeof Input>): Promise<void> =>
  'pty' in input ? one.input('pty', input.pty) : one.input('stdin', input.stdin);

const PROCESS: Readonly<Record<string, Call>> = {
  async List(sandbox, _account, message) {
    read(z.strictObject({}), message);
    return {
      processes: [...sandbox.processes.values()].map(({ pid, config, tag }) => ({
        pid,
        config,
        ...(tag ? { tag } : {}),
      })),
    };
  },
  async SendInput(sandbox, _account, message) {
    const { process, input } = read(SendInput, message);
    await inputTo(find(sandbox, process), input);
    return {};
  },
  async CloseStdin(sandbox, _account, message) {
    find(sandbox, read(Selected, message).process).closeStdin();
    return {};
  },
  async SendSignal(sandbox, _account, message) {
    const { process, signal } = read(SendSignal, message);
    find(sandbox, process).signal(signal === 'SIGNAL_SIGTERM' ? 'SIGTERM' : 'SIGKILL');
    return {};
  },
  async Update(sandbox, _account, message) {
    const { process, pty } = read(Update, message);
    const one = find(sandbox, process);
    if (pty) await one.resize(pty.size);
    return {};
  },
};

/** Answers as envd does, behind the proxy that knows only running sandboxes. */
export async function serveEnvd(
  request: IncomingMessage,
  response: ServerResponse,
  sandboxOf: (id: string) => FakeSandbox | undefined,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://envd');
  const id = String(request.headers['e2b-sandbox-id'] ?? '');
  const sandbox = sandboxOf(id);
  if (sandbox?.state !== 'running' || request.headers['e2b-sandbox-port'] !== '49983') {
    request.resume();
    return json(response, 502, { sandboxId: id, message: 'The sandbox was not found', code: 502 });
  }
  sandbox.open.add(response);
  response.once('close', () => sandbox.open.delete(response));
  const path = `${request.method} ${url.pathname}`;
  if (path === 'GET /health') return void response.writeHead(204).end();
  if (path === 'GET /files' || path === 'POST /files') return serveFiles(sandbox, request, response, url);
  if (request.headers['x-access-token'] !== sandbox.token) {
    request.resume();
    const message = 'unauthorized access, please provide a valid access token or method signing if supported';
    return json(response, 401, { code: 401, message });
  }
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const account = basic ? (Buffer.from(basic, 'base64').toString().split(':')[0] ?? '') : 'user';
  const [, service, method = ''] = /^\/(process\.Process|filesystem\.Filesystem)\/(\w+)$/.exec(url.pathname) ?? [];
  const streams = service === 'process.Process' ? STREAMS[method] : undefined;
  const call = (service === 'process.Process' ? PROCESS : FILESYSTEM)[method];
  if (request.method !== 'POST' || service === undefined || (!streams && !call && method !== 'StreamInput')) {
    request.resume();
    return void response.writeHead(404).end('404 page not found');
  }
  const type = call ? 'application/json' : STREAM_TYPE;
  if (request.headers['content-type'] !== type) {
    request.resume();
    return void response.writeHead(415, { 'Accept-Post': type }).end();
  }
  const stranger = new RpcError('unauthenticated', `invalid username: '${account}'`);
  if (call) {
    return unary(request, response, async (message) => {
      if (!isAccount(account)) throw stranger;
      return call(sandbox, account, message);
    });
  }
  if (streams) {
    const gone = new Promise<void>((resolve) => response.once('close', resolve));
    return streaming(request, response, async (message, send) => {
      if (!isAccount(account)) throw stranger;
      await whileKept(request, send, () => streams({ sandbox, account, message, request, send, gone }));
    });
  }
  return streamInput(sandbox, request, response);
}

interface StreamCall {
  readonly sandbox: FakeSandbox;
  readonly account: string;
  readonly message: unknown;
  readonly request: IncomingMessage;
  readonly send: Send;
  readonly gone: Promise<void>;
}

const STREAMS: Readonly<Record<string, (call: StreamCall) => Promise<void>>> = {
  async Start({ sandbox, account, message, request, send, gone }) {
    const timeoutMs = Number(request.headers['connect-timeout-ms'] ?? 0);
    if (!Number.isInteger(timeoutMs)) throw new RpcError('invalid_argument', 'invalid Connect-Timeout-Ms');
    const one = await startProcess(sandbox, read(StartRequest, message), { account, timeoutMs });
    // A caller who leaves only leaves: the process goes on, and what it prints is dropped.
    const late = new Promise<'late'>((done) => timeoutMs > 0 && setTimeout(() => done('late'), timeoutMs).unref());
    if ((await Promise.race([one.follow(send, gone), late])) === 'late') {
      throw new RpcError('deadline_exceeded', 'context deadline exceeded');
    }
  },
  async Connect({ sandbox, message, send, gone }) {
    const { process } = read(Selected, message);
    const ended = 'pid' in process && !sandbox.processes.has(process.pid) ? sandbox.ended.get(process.pid) : undefined;
    if (ended === undefined || !('pid' in process)) return find(sandbox, process).follow(send, gone);
    await send({ event: { start: { pid: process.pid } } });
    await send({ event: { end: ended } });
  },
};

/** Says that it is alive as often as the caller asked for. */
async function whileKept(request: IncomingMessage, send: Send, work: () => Promise<void>): Promise<void> {
  const seconds = Number(request.headers['keepalive-ping-interval'] ?? 90);
  const ticker = setInterval(() => void send({ event: { keepalive: {} } }), seconds * 1000);
  try {
    await work();
  } finally {
    clearInterval(ticker);
  }
}

async function streamInput(sandbox: FakeSandbox, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'Content-Type': STREAM_TYPE });
  let one: EnvdProcess | null = null;
  let outcome: object = { error: { code: 'internal', message: 'no answer' } };
  const parts: Buffer[] = [];
  const part = (flags: number, message: object) => {
    const body = Buffer.from(JSON.stringify(message));
    const head = Buffer.alloc(5, flags);
    head.writeUInt32BE(body.length, 1);
    parts.push(head, body);
  };
  try {
    for await (const message of readEnvelopes(request)) {
      const event = read(StreamInput, message);
      if ('start' in event) one = find(sandbox, event.start.process);
      else if ('data' in event) {
        if (!one) throw new RpcError('invalid_argument', 'data before start');
        await inputTo(one, event.data.input);
      }
    }
    part(0, {});
    outcome = {};
  } catch (error) {
    const known = error instanceof RpcError ? error : new RpcError('unknown', String(error));
    outcome = { error: { code: known.code, message: known.message } };
  }
  part(2, outcome);
  response.end(Buffer.concat(parts));
}
