import { once } from 'node:events';
import { request as ask, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  HangarError,
  readTerminalFrame,
  TERMINAL_AHEAD_MOST,
  TERMINAL_CLOSE,
  TERMINAL_INPUT_MOST,
  TERMINAL_PROTOCOL,
  TERMINAL_TAIL,
  type TerminalAsk,
  type TerminalSaid,
} from '@hangar/contract';
import type { Channel } from '@hangar/sandbox';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { createApp } from '../../../platform/http/app.ts';
import type { PersonIdentity } from '../../../platform/http/identity.ts';
import type { CallerWatch } from '../../../platform/http/still-allowed.ts';
import { originCheck } from '../../access/sessions/same-origin.ts';
import { ada, Backend, buildServer, command, request, until } from '../testing/sandboxes-parts.ts';
import { terminalRoutes } from './terminal-routes.ts';
import { createTerminals, LOOKING_AT_ONCE } from './terminals.ts';

type Server = ReturnType<typeof buildServer>;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let backend: Backend;
let server: Server;
let app: FastifyInstance;
let port: number;
let shutOut: (() => void)[];
let lookers: Looker[];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from sandbox');
  await database.pool.query('delete from log');
  backend = new Backend({ pauses: false });
  [shutOut, lookers] = [[], []];
  await serve();
});
afterEach(async () => {
  for (const one of lookers) one.socket.terminate();
  await leave();
  await backend.close();
});

async function serve(): Promise<void> {
  server = buildServer(database, backend);
  await server.start();
  const log = pino({ level: process.env.HANGAR_TEST_LOG ?? 'silent' });
  const callers: CallerWatch = {
    watch(_request, _was, end) {
      shutOut.push(end);
      return () => undefined;
    },
    look: () => undefined,
  };
  app = await createApp({
    router: {},
    rawRoutes: [terminalRoutes(createTerminals({ ...server, log }))],
    identify: async ({ authorization, cookie }) => personOf(authorization?.replace('Bearer ', '') ?? cookie?.slice(5)),
    ...{ callers, log, isDraining: () => false, trustProxy: false, secure: false, webDir: null },
    refuseForeignOrigin: originCheck({ publicUrl: 'http://hangar.example.org', cookieName: 'user' }),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = app.server.address() as AddressInfo);
}
async function leave(): Promise<void> {
  await app.close();
  await server.stop();
}

function personOf(name: string | undefined): PersonIdentity | null {
  if (name === undefined) return null;
  const role = name === 'root' ? 'admin' : 'member';
  const userId = `u_${name}`;
  return {
    ...{ kind: 'token', userId, userName: name, label: name, expiresAt: null },
    actor: { userId, userName: name, role },
  };
}

async function shell(script: string): Promise<string> {
  const { id: sandbox } = await server.sandboxes.open(ada, request());
  const asked = command(sandbox, script, { terminal: { columns: 80, rows: 24 } });
  return (await server.sandboxes.execute(ada, asked)).id;
}
const sandboxOf = async (id: string): Promise<string> => (await server.store.executionById(id))?.sandboxId ?? '';

/** Who looks at a terminal. */
class Looker {
  readonly socket: WebSocket;
  readonly said: TerminalSaid[] = [];
  offset = -1;
  text = '';
  closed: number | null = null;
  seesAll = true;
  constructor(query: string) {
    const headers = { authorization: 'Bearer ada' };
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/api/drivers/terminal?${query}`, TERMINAL_PROTOCOL, { headers });
    this.socket.on('error', () => undefined);
    this.socket.on('close', (code) => {
      this.closed = code;
    });
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.show(data);
      else this.hear(JSON.parse(data.toString()));
    });
    lookers.push(this);
  }
  private hear(said: TerminalSaid): void {
    if (said.type === 'ready') this.offset = said.offset;
    this.said.push(said);
  }
  private show(data: Buffer): void {
    const { offset, bytes } = readTerminalFrame(data);
    expect(offset).toBe(this.offset);
    this.offset += bytes.length;
    this.text += Buffer.from(bytes).toString('latin1');
    if (this.seesAll) this.ask({ type: 'seen', offset: this.offset });
  }
  ask(asked: TerminalAsk): void {
    this.socket.send(JSON.stringify(asked));
  }
  type(text: string): void {
    this.socket.send(Buffer.from(text));
  }
  of<T extends TerminalSaid['type']>(type: T): Extract<TerminalSaid, { type: T }>[] {
    return this.said.filter((one): one is Extract<TerminalSaid, { type: T }> => one.type === type);
  }
  async until(good: (looker: Looker) => boolean, what: string): Promise<void> {
    const seen = () => ({ text: this.text.slice(-300), said: this.said, closed: this.closed });
    await until(
      async () => seen(),
      () => good(this),
      what,
    );
  }
  shows(text: string): Promise<void> {
    return this.until((one) => one.text.includes(text), text);
  }
  ready(): Promise<void> {
    return this.until((one) => one.of('ready').length === 1, 'ready');
  }
  taken(bytes: number): Promise<void> {
    return this.until((one) => one.of('taken').at(-1)?.bytes === bytes, `${bytes} taken`);
  }
  ends(code?: number): Promise<void> {
    return this.until(({ closed }) => (code === undefined ? closed !== null : closed === code), 'the close');
  }
}

/** How a request for it is refused before it becomes a socket. */
async function refusal(query: string, headers: Record<string, string>, protocol = TERMINAL_PROTOCOL): Promise<string> {
  const upgrade = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-protocol': protocol };
  const sent = ask({
    ...{ port, path: `/api/drivers/terminal?${query}`, agent: false },
    headers: {
      ...(protocol === '' ? {} : upgrade),
      ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers },
    },
  }).end();
  const answer = await new Promise<IncomingMessage | null>((resolve, reject) => {
    sent.on('response', resolve).on('error', reject);
    sent.on('upgrade', (_answer, socket) => {
      socket.destroy();
      resolve(null);
    });
  });
  if (answer === null) return 'let in';
  let body = '';
  for await (const part of answer) body += part;
  const { code, data } = JSON.parse(body);
  expect(typeof data.wayOut).toBe('string');
  return `${answer.statusCode} ${code}`;
}

describe('a terminal', () => {
  it('is typed into and looked at to its end', async () => {
    const id = await shell(
      'echo ready; until [ "$(stty size)" = "30 100" ]; do sleep 0.05; done; echo sized; read line; echo "got $line"; exit 7',
    );
    const looker = new Looker(`execution=${id}&writer=abcdefgh`);
    await looker.shows('ready\r\n');
    expect(looker.of('ready')).toEqual([{ type: 'ready', offset: 0, taken: 0, columns: 80, rows: 24 }]);
    looker.ask({ type: 'size', columns: 100, rows: 30 });
    await looker.shows('sized\r\n');
    for (const key of 'a line') looker.type(key);
    await looker.shows('a line');
    looker.type('\n');
    await looker.ends();
    expect(looker.text).toMatch(/ready\r\nsized\r\na line\r\ngot a line\r\n$/);
    expect(looker.said.at(-1)).toEqual({
      type: 'end',
      execution: { id, state: 'failed', exitCode: 7, signal: null, reason: expect.any(String) },
    });
    expect(looker.closed).toBe(TERMINAL_CLOSE.ended);
    // Afterwards it is shown from what is kept of it.
    const later = new Looker(`execution=${id}`);
    await later.ends(TERMINAL_CLOSE.ended);
    expect(later.text).toBe(looker.text);
    const tail = new Looker(`execution=${id}&after=7`);
    await tail.ends(TERMINAL_CLOSE.ended);
    expect(tail.text).toBe(looker.text.slice(7));
  });

  it('goes on where it was, with what was typed and not acknowledged, also on a server that has started anew', async () => {
    const id = await shell('echo ready; cat; exit 0');
    const first = new Looker(`execution=${id}&writer=abcdefgh`);
    await first.shows('ready\r\n');
    first.type('one\n');
    await first.shows('one\r\none\r\n');
    const { offset } = first;
    await leave();
    await first.ends(TERMINAL_CLOSE.goingAway);
    await serve();
    const second = new Looker(`execution=${id}&writer=abcdefgh&after=${offset}`);
    await second.ready();
    expect(second.of('ready')).toMatchObject([{ offset, taken: 4 }]);
    second.type('two\n');
    await second.shows('two\r\ntwo\r\n');
    expect(second.text).not.toContain('one');
    // Another one counts for itself.
    const other = new Looker(`execution=${id}&writer=ijklmnop`);
    await other.shows('two\r\ntwo\r\n');
    expect(other.of('ready')).toMatchObject([{ offset: 0, taken: 0 }]);
    other.type('\x04');
    await second.ends();
    expect(second.of('end')).toMatchObject([{ execution: { state: 'succeeded', exitCode: 0 } }]);
  });

  it('waits for its machine, and goes on through breaks of the way to it', async () => {
    backend.away = new HangarError('driver_unavailable', { message: 'The engine is away.' });
    const id = await shell('echo ready; cat');
    const looker = new Looker(`execution=${id}&writer=abcdefgh`);
    await looker.until((one) => one.of('away').length > 0, 'away');
    expect(looker.of('ready')).toEqual([]);
    backend.away = null;
    await looker.shows('ready\r\n');
    // Each channel breaks after some bytes: nothing is lost or comes twice, in either direction.
    let opened = 0;
    backend.breaks = () => 400 + ((opened++ * 131) % 900);
    server.machines.forget(await sandboxOf(id));
    const lines = Array.from({ length: 40 }, (_, n) => `line ${n} ${'x'.repeat(n)}\n`);
    let typed = 0;
    for (const line of lines) {
      looker.type(line);
      typed += line.length;
      if (typed % 3 === 0) await looker.taken(typed);
    }
    await looker.taken(typed);
    backend.breaks = () => Number.POSITIVE_INFINITY;
    looker.type('\x04');
    await looker.ends();
    const printed = looker.text.split('\r\n').filter((line) => line.startsWith('line'));
    expect(printed.toSorted()).toEqual([...lines, ...lines].map((line) => line.replace('\n', '')).toSorted());
    expect(looker.of('end')).toMatchObject([{ execution: { state: 'succeeded' } }]);
  });

  it('tells when the way to its machine has broken, and when it is mended', async () => {
    const channels: Channel[] = [];
    backend.through = (machine) => ({
      ...machine,
      async open(...asked) {
        const channel = await machine.open(...asked);
        channels.push(channel);
        return channel;
      },
    });
    const id = await shell('echo ready; cat');
    const looker = new Looker(`execution=${id}&writer=abcdefgh`);
    await looker.shows('ready\r\n');
    looker.type('one\n');
    await looker.shows('one\r\none\r\n');
    for (const channel of channels) channel.close();
    backend.away = new HangarError('driver_unavailable', { message: 'The engine is away.' });
    await looker.until((one) => one.of('away').at(-1)?.why === 'The engine is away.', 'away');
    looker.type('two\n');
    backend.away = null;
    await looker.shows('two\r\ntwo\r\n');
    expect(looker.of('back').length).toBeGreaterThan(0);
    await looker.taken(8);
    expect(looker.text).toBe('ready\r\none\r\none\r\ntwo\r\ntwo\r\n');
  });

  it('begins with the end of much output, at the begin of a line, and paints again', async () => {
    const id = await shell(
      `trap 'echo painted' WINCH; i=0; while [ $i -lt 9000 ]; do echo "line $i of many that are long enough"; i=$((i+1)); done; echo ready; while :; do sleep 0.1; done`,
    );
    const all = new Looker(`execution=${id}&after=0`);
    await all.shows('ready\r\n');
    const tail = new Looker(`execution=${id}`);
    await tail.shows('ready\r\n');
    const [begun] = tail.of('ready');
    expect(tail.text.startsWith('line ')).toBe(true);
    expect(all.text.slice(begun?.offset)).toBe(tail.text);
    expect(tail.text.length).toBeLessThanOrEqual(TERMINAL_TAIL);
    expect(all.text).not.toContain('painted');
    // The same size as it had: by itself no program would be told.
    tail.ask({ type: 'size', columns: 80, rows: 24 });
    await tail.shows('painted');
  });

  it('sends no more than is looked at', async () => {
    const id = await shell('yes 0123456789 | head -c 8000000; read line; exit 0');
    const slow = new Looker(`execution=${id}&after=0`);
    slow.seesAll = false;
    await slow.until(({ text }) => text.length >= TERMINAL_AHEAD_MOST, 'as much as may come');
    const beside = new Looker(`execution=${id}&after=0`);
    await beside.until(({ text }) => text.length > 8_000_000, 'all of it');
    expect(slow.text.length).toBeLessThanOrEqual(TERMINAL_AHEAD_MOST + 64 * 1024);
    slow.seesAll = true;
    slow.ask({ type: 'seen', offset: slow.offset });
    await slow.until(({ text }) => text.length === beside.text.length, 'all of it');
    expect(slow.text === beside.text).toBe(true);
  });

  it('is nobody else’s, of no other site, and of what has a terminal', async () => {
    const id = await shell('cat');
    const query = `execution=${id}`;
    const bearer = (name: string) => ({ authorization: `Bearer ${name}` });
    expect(await refusal(query, {})).toBe('401 not_signed_in');
    expect(await refusal(query, bearer('bob'))).toBe('404 execution_not_found');
    expect(await refusal(query, bearer('root'))).toBe('404 execution_not_found');
    expect(await refusal('execution=e_00000000zzzzzzzz', bearer('ada'))).toBe('404 execution_not_found');
    expect(await refusal('execution=x', bearer('ada'))).toBe('400 validation_failed');
    expect(await refusal(`${query}&writer=a.b`, bearer('ada'))).toBe('400 validation_failed');
    expect(await refusal(query, bearer('ada'), 'something.else')).toBe('426 websocket_needed');
    expect(await refusal(query, bearer('ada'), '')).toBe('426 websocket_needed');
    expect(await refusal(query, bearer('ada'))).toBe('let in');
    expect(await refusal(query, { cookie: 'user=ada', origin: 'http://evil.example.org' })).toBe('403 csrf_refused');
    expect(await refusal(query, { cookie: 'user=ada' })).toBe('403 csrf_refused');
    expect(await refusal(query, { cookie: 'user=ada', origin: 'null' })).toBe('403 csrf_refused');
    expect(await refusal(query, { cookie: 'user=ada', origin: 'http://hangar.example.org' })).toBe('let in');
    const plain = await server.sandboxes.execute(ada, command(await sandboxOf(id), 'cat', { stdin: true }));
    expect(await refusal(`execution=${plain.id}`, bearer('ada'))).toBe('409 terminal_missing');
  });

  it('ends with the right to look, and with what is not its protocol', async () => {
    const id = await shell('cat');
    const looker = new Looker(`execution=${id}`);
    await looker.ready();
    for (const end of shutOut) end();
    await looker.ends(TERMINAL_CLOSE.shutOut);
    for (const odd of ['{', '{"type":"size","columns":1,"rows":1e9}', '{"type":"ready"}', 'null']) {
      const one = new Looker(`execution=${id}`);
      await once(one.socket, 'open');
      one.socket.send(odd);
      await one.ends(TERMINAL_CLOSE.notUnderstood);
      expect(one.of('error')).toMatchObject([{ code: 'bad_request' }]);
    }
    const long = new Looker(`execution=${id}`);
    await once(long.socket, 'open');
    long.type('x'.repeat(70_000));
    await long.ends(1009);
    // Its machine takes nothing, and nothing is held for it without limit.
    backend.away = new HangarError('driver_unavailable');
    server.machines.forget(await sandboxOf(id));
    const much = new Looker(`execution=${id}`);
    await once(much.socket, 'open');
    for (let sent = 0; sent <= TERMINAL_INPUT_MOST; sent += 60_000) much.type('x'.repeat(60_000));
    await much.ends(TERMINAL_CLOSE.notUnderstood);
  });

  it('takes keys in order, also when each comes in a frame of its own', async () => {
    const id = await shell('stty -echo; echo begun; cat');
    const looker = new Looker(`execution=${id}`);
    await looker.ready();
    await until(
      async () => looker.text,
      (text) => text.includes('begun'),
      'its begin',
    );
    const keys = Array.from({ length: 3_000 }, (_, n) => String.fromCharCode(97 + (n % 26))).join('');
    for (const key of keys) looker.type(key);
    looker.type('\n');
    await until(
      async () => looker.text,
      (text) => text.includes(`${keys}\r\n`),
      'all keys',
    );
  });

  it('lets nobody wait who comes while the server stops', async () => {
    const id = await shell('cat');
    const looker = new Looker(`execution=${id}`);
    await looker.ready();
    const closing = app.close();
    await looker.ends(TERMINAL_CLOSE.goingAway);
    const late = new Looker(`execution=${id}`);
    await until(
      async () => late.closed,
      (code) => code !== null,
      'its end',
    );
    await closing;
  });

  it('has room for so many who look, and again when they leave', async () => {
    const id = await shell('cat');
    const all = Array.from({ length: LOOKING_AT_ONCE }, () => new Looker(`execution=${id}`));
    for (const one of all) await one.ready();
    const ask = () => refusal(`execution=${id}`, { authorization: 'Bearer ada' });
    expect(await ask()).toBe('429 quota_terminals');
    all[0]?.socket.close();
    await until(ask, (said) => said === 'let in', 'a place');
  });

  it('of a sandbox that is closed has ended', async () => {
    const id = await shell('echo ready; cat');
    const looker = new Looker(`execution=${id}`);
    await looker.shows('ready');
    await server.sandboxes.close(ada, await sandboxOf(id), { keep: false });
    await looker.ends();
    expect(looker.of('end')).toMatchObject([{ execution: { state: 'lost' } }]);
  });
});

it('what asks for another protocol than a WebSocket is answered as if it had not', async () => {
  const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' };
  const sent = ask({
    port,
    path: '/api/nowhere',
    method: 'POST',
    headers: { ...headers, 'content-type': 'text/plain' },
  });
  sent.end('a body');
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  for await (const part of answer) body += part;
  expect([answer.statusCode, JSON.parse(body).code]).toEqual([404, 'route_not_found']);
});
