import { TERMINAL_CLOSE, type TerminalAsk, type TerminalSaid, terminalFrame } from '@hangar/contract/terminals';
import { expect, it } from 'vitest';
import { BackOff } from './back-off.ts';
import { openTerminal, type TerminalOptions, type TerminalSocket } from './terminal.ts';

/** The other end of a socket. */
class Server implements TerminalSocket {
  binaryType = 'blob';
  onopen: TerminalSocket['onopen'] = null;
  onmessage: TerminalSocket['onmessage'] = null;
  onclose: TerminalSocket['onclose'] = null;
  onerror: TerminalSocket['onerror'] = null;
  readonly query: URLSearchParams;
  typed = '';
  readonly asked: TerminalAsk[] = [];
  constructor(path: string) {
    this.query = new URL(path, 'http://x').searchParams;
  }
  send(data: string | Uint8Array): void {
    if (typeof data === 'string') this.asked.push(JSON.parse(data));
    else this.typed += new TextDecoder().decode(data);
  }
  close(): void {}
  say(said: TerminalSaid): void {
    this.#tell(JSON.stringify(said));
  }
  print(offset: number, text: string): void {
    this.#tell(terminalFrame(offset, new TextEncoder().encode(text)).buffer);
  }
  break(code = 1006): void {
    this.onclose?.({ code, reason: '' } as never);
  }
  #tell(data: unknown): void {
    this.onmessage?.({ data } as never);
  }
}

const END = { id: 'e_1', state: 'failed', exitCode: 3, signal: null, reason: 'it ended' } as const;
const type = (text: string) => new TextEncoder().encode(text);

function open(o: Partial<TerminalOptions> = {}) {
  const servers: Server[] = [];
  const waiting: ((server: Server) => void)[] = [];
  const seen = { shown: '', states: [] as string[], readies: [] as unknown[] };
  const left = new AbortController();
  const { signal } = left;
  const terminal = openTerminal({
    ...{ execution: 'e_1', signal, backOff: new BackOff({ signal, pauses: [1], isPassing: () => true }) },
    connect(path) {
      const server = new Server(path);
      queueMicrotask(() => (waiting.shift() ?? ((one) => servers.push(one)))(server));
      return server;
    },
    onOutput(bytes) {
      seen.shown += new TextDecoder().decode(bytes);
    },
    onReady: (ready) => seen.readies.push(ready),
    onState: ({ kind }) => seen.states.push(kind),
    ...o,
  });
  const next = async (): Promise<Server> => servers.shift() ?? new Promise((resolve) => waiting.push(resolve));
  return { terminal, next, seen, leave: () => left.abort(new Error('left')) };
}

it('output comes once, through breaks and overlaps, and the end after it', async () => {
  const { terminal, next, seen } = open({ size: { columns: 90, rows: 20 } });
  const first = await next();
  expect(first.query.get('after')).toBeNull();
  first.say({ type: 'ready', offset: 10, taken: 0 });
  first.print(10, 'abc');
  first.print(13, 'def');
  first.break();
  const second = await next();
  expect([second.query.get('after'), second.query.get('writer')]).toEqual(['16', first.query.get('writer')]);
  second.say({ type: 'ready', offset: 16, taken: 0 });
  second.print(14, 'efghi');
  second.say({ type: 'end', execution: END });
  second.break(1000);
  expect(await terminal.ended).toEqual(END);
  expect(seen).toEqual({
    ...{ shown: 'abcdefghi', states: ['open', 'lost', 'open'] },
    readies: [
      { offset: 10, gap: false },
      { offset: 16, gap: false },
    ],
  });
  expect([first.asked, second.asked]).toEqual(Array(2).fill([{ type: 'size', columns: 90, rows: 20 }]));
});

it('bytes that are missing are asked for again', async () => {
  const { terminal, next, seen } = open();
  const first = await next();
  first.say({ type: 'ready', offset: 0, taken: 0 });
  first.print(0, 'ab');
  first.print(4, 'ef');
  const second = await next();
  expect(second.query.get('after')).toBe('2');
  second.say({ type: 'ready', offset: 2, taken: 0 });
  second.print(2, 'cdef');
  second.say({ type: 'end', execution: END });
  second.break(1000);
  await terminal.ended;
  expect(seen.shown).toBe('abcdef');
});

it('what was typed and not taken is sent again, to the byte', async () => {
  const { terminal, next } = open();
  terminal.write(type('early '));
  const first = await next();
  first.say({ type: 'ready', offset: 0, taken: 0 });
  terminal.write(type('one '));
  terminal.write(type('two '));
  expect(first.typed).toBe('early one two ');
  first.say({ type: 'taken', bytes: 8 });
  first.break();
  terminal.write(type('three'));
  const second = await next();
  second.say({ type: 'ready', offset: 0, taken: 10 });
  expect(second.typed).toBe('two three');
  second.break();
  // This one knows nothing of it: what may be in is not typed twice, what never left is typed.
  terminal.write(type(' four'));
  const third = await next();
  third.say({ type: 'ready', offset: 0, taken: 0 });
  expect(third.typed).toBe(' four');
});

it('no more is on its way than may be, and who types is told to wait', async () => {
  const { terminal, next } = open();
  const first = await next();
  first.say({ type: 'ready', offset: 0, taken: 0 });
  expect(terminal.write(type('x'.repeat(200_000)))).toBe(true);
  expect(terminal.write(type('y'.repeat(200_000)))).toBe(false);
  expect(first.typed.length).toBeLessThanOrEqual(262_144);
  const drained = terminal.drained();
  for (let taken = 0; first.typed.length < 400_000; ) {
    expect(first.typed.length).toBeGreaterThan(taken);
    taken = first.typed.length;
    first.say({ type: 'taken', bytes: taken });
  }
  await drained;
  expect(first.typed).toBe('x'.repeat(200_000) + 'y'.repeat(200_000));
});

it('a screen that is slow says what it has seen, and no sooner', async () => {
  let show = (): void => undefined;
  const { next } = open({
    onOutput: () =>
      new Promise((resolve) => {
        show = resolve;
      }),
  });
  const first = await next();
  first.say({ type: 'ready', offset: 0, taken: 0 });
  first.print(0, 'x'.repeat(300_000));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(first.asked).toEqual([]);
  show();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(first.asked).toEqual([{ type: 'seen', offset: 300_000 }]);
});

it('a refusal is not asked again, a server that goes away is', async () => {
  const { terminal, next } = open();
  const first = await next();
  first.say({ type: 'error', code: 'internal', message: 'It broke.', wayOut: 'Again.' });
  first.break(1011);
  const second = await next();
  second.break(TERMINAL_CLOSE.goingAway);
  const third = await next();
  third.say({ type: 'error', code: 'sandbox_closed', message: 'Closed.', wayOut: 'Open one.' });
  third.break(TERMINAL_CLOSE.refused);
  await expect(terminal.ended).rejects.toMatchObject({ code: 'sandbox_closed', message: 'Closed.' });
});

it('whoever is shut out comes again: the answer tells whether that was for good', async () => {
  const refused = new Error('signed out');
  const { signal } = new AbortController();
  let tries = 0;
  const servers: Server[] = [];
  const { terminal } = open({
    backOff: new BackOff({ signal, pauses: [1], isPassing: (error) => error !== refused }),
    connect(path) {
      tries += 1;
      if (tries === 3) throw refused;
      const server = new Server(path);
      servers.push(server);
      setTimeout(() => {
        server.say({ type: 'ready', offset: 0, taken: 0 });
        server.break(TERMINAL_CLOSE.shutOut);
      });
      return server;
    },
  });
  await expect(terminal.ended).rejects.toBe(refused);
  expect(servers.length).toBe(2);
});

it('is left by its signal', async () => {
  const { terminal, next, leave } = open();
  (await next()).say({ type: 'ready', offset: 0, taken: 0 });
  leave();
  await expect(terminal.ended).rejects.toThrow('left');
});
