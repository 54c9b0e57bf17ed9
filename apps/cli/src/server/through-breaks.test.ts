import { symlinkSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { HangarError } from '@hangar/contract/errors';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FakeServer } from '../testing/fake-server.ts';
import { Desk } from '../testing/hangar.ts';
import { isPassing } from './http.ts';
import { breaks, throughBreaks } from './through-breaks.ts';

vi.setConfig({ testTimeout: 120_000 });

const broken = (code: string, more: object = {}) => Object.assign(new Error(code), { code, ...more });
const { signal } = new AbortController();

describe('what passes by itself', () => {
  it.each([
    broken('ECONNRESET'),
    broken('ECONNREFUSED', { syscall: 'connect' }),
    broken('EPIPE', { syscall: 'write' }),
    broken('EAI_AGAIN', { syscall: 'getaddrinfo' }),
    broken('HPE_INVALID_CONSTANT'),
    new AggregateError([broken('ETIMEDOUT')]),
    new HangarError('server_unreachable'),
    new HangarError('rate_limited'),
    new HangarError('internal'),
    new HangarError('proxy_refused', { details: { status: 502 } }),
  ])('%s does', (error) => expect(isPassing(error)).toBe(true));

  it.each([
    new TypeError('undefined is not a function'),
    new SyntaxError('Unexpected token'),
    broken('ENOSPC', { syscall: 'write' }),
    broken('EDQUOT', { syscall: 'write' }),
    broken('EACCES', { syscall: 'open' }),
    broken('ERR_INVALID_CHAR'),
    broken('ERR_INVALID_ARG_TYPE'),
    'a thrown word',
    undefined,
    new HangarError('job_not_found'),
    new HangarError('disk_full'),
    new HangarError('keychain_failed'),
    new HangarError('certificate_refused'),
    new HangarError('proxy_invalid'),
    new HangarError('proxy_refused', { details: { status: 407 } }),
    new HangarError('server_unreachable', { details: { lasting: true } }),
  ])('%s does not', (error) => expect(isPassing(error)).toBe(false));
});

describe('breaks', () => {
  afterEach(() => void vi.useRealTimers());

  it('throws at once what no other try would mend', async () => {
    const work = vi.fn(async () => {
      throw new TypeError('a bug');
    });
    const note = vi.fn();
    await expect(throughBreaks({ terminal: { note }, signal, patienceMs: 60_000 }, work)).rejects.toThrow('a bug');
    expect(work).toHaveBeenCalledTimes(1);
    expect(note).not.toHaveBeenCalled();
  });

  it('waits longer from break to break until something came, and no longer than its patience', async () => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const said: string[] = [];
    const onLost = (reason: string) => void said.push(reason);
    const backOff = breaks({ signal, patienceMs: 20_000, onLost, onBack: () => void said.push('back') });
    const pause = async () => {
      const from = Date.now();
      const [waited] = await Promise.all([
        backOff.again(broken('ECONNRESET')).then(() => Date.now() - from),
        vi.advanceTimersByTimeAsync(6000),
      ]);
      return waited;
    };
    // A stream that is opened and closed at once is no progress.
    const opened = async () => {
      const over = backOff.opened();
      over();
      return pause();
    };
    expect([await opened(), await opened(), await opened()]).toEqual([200, 400, 800]);
    backOff.progress();
    expect(await opened()).toBe(200);
    const over = backOff.opened();
    await vi.advanceTimersByTimeAsync(3100);
    over();
    expect(await opened()).toBe(200);
    expect(said).toEqual(['ECONNRESET', 'back', 'ECONNRESET', 'back', 'ECONNRESET']);
    await vi.advanceTimersByTimeAsync(21_000);
    await expect(backOff.again(broken('ECONNRESET'))).rejects.toThrow('ECONNRESET');
    vi.restoreAllMocks();
  });
});

describe('streams of the command line', () => {
  let server: Server | null = null;
  let desk: Desk;
  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    server = null;
    desk.dispose();
  });

  const serve = async (stream: (asked: number, response: ServerResponse) => void): Promise<() => number> => {
    let asked = 0;
    const made = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      stream(++asked, response);
    });
    server = made;
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    const address = made.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    desk = new Desk({ HANGAR_SERVER: `http://127.0.0.1:${port}`, HANGAR_TOKEN: 'hk_x' });
    return () => asked;
  };

  it.each([
    [['k8s', 'logs', 'shop', 'checkout', '--follow'], ': hello\n\n'],
    [['logs', 'j_0123456789', '--follow'], ': hello\n\n'],
    [['logs', 'j_0123456789', '--follow'], 'event: lines\nid: 0\ndata: []\n\n'],
  ])('%j does not flood a server that opens each stream and closes it', async (args, first) => {
    const asked = await serve((_, response) => response.end(first));
    const logs = desk.start(args);
    await logs.saw('Connection lost');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    logs.child.kill('SIGINT');
    await logs.ended;
    expect(asked()).toBeLessThan(12);
  });

  it('goes on with the log of a pod after a break, each line once', async () => {
    const frame = (n: number) =>
      `id: ${n}\ndata: ${JSON.stringify([{ n, at: '2026-01-01T00:00:00Z', text: `line ${n}` }])}\n\n`;
    await serve((asked, response) => {
      if (asked <= 3) response.write(frame(asked), () => response.destroy());
      else response.end('event: end\ndata: {}\n\n');
    });
    const ended = await desk.run(['k8s', 'logs', 'shop', 'checkout', '--follow']);
    expect(ended).toMatchObject({ code: 0, stdout: 'line 1\nline 2\nline 3\n' });
  });
});

describe('a full disk', () => {
  it('is told as what it is, by a download and by the output', async () => {
    const server = await new FakeServer().start();
    const desk = new Desk({ HANGAR_SERVER: server.url, HANGAR_TOKEN: server.apiKey });
    try {
      const id = server.addJob();
      server.job(id).files.set('report.txt', Buffer.alloc(1_000_000, 'x'));
      server.addLines(id, ['a line']);
      server.finish(id, null);
      symlinkSync('/dev/full', desk.path('out.part'));
      const download = await desk.run(['artifacts', 'download', id, 'report.txt', '--output', 'out', '--force']);
      expect(download.code).toBe(4);
      expect(download.stderr).toContain('There is no space left on the disk');
      expect(download.stderr).not.toContain('Connection lost');
      const line = `hangar logs ${id} --follow --server ${server.url} > /dev/full`;
      const output = await desk.shell(line).ended;
      expect(output.code).toBe(4);
      expect(output.stderr).toContain('There is no space left on the disk');
      expect(output.stderr).not.toContain('Connection lost');
    } finally {
      await server.stop();
      desk.dispose();
    }
  });
});
