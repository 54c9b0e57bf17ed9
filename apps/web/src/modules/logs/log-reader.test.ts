import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HangarError, type LogLine, toWire } from '@hangar/contract';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { connectAlone, Streams } from '../../api/streams/streams.tsx';
import { LogReader } from './log-reader.ts';

const line = (n: number): LogLine => ({ n, at: '2026-05-04T14:02:11.000Z', stream: 'stdout', text: `line ${n}` });
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => line(from + index));
const frame = (from: number, to: number) => `id: ${to}\ndata: ${JSON.stringify(lines(from, to))}\n\n`;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

type Handler = (query: URLSearchParams, request: IncomingMessage, response: ServerResponse) => void;

async function readerOf(handler: Handler, options: { silenceMs?: number } = {}) {
  const server = createServer((request: IncomingMessage, response: ServerResponse) =>
    handler(new URL(request.url ?? '', 'http://server').searchParams, request, response),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const timing = { pauses: [5], lingerMs: 5, ...options };
  const streams = new Streams({
    connect: (onMessage) => connectAlone(onMessage, { places: 1, timing }),
    onOver: () => {},
  });
  streams.signedIn('u_ada');
  const reader = new LogReader({ url: `http://127.0.0.1:${port}/log`, streams, pauses: [5], tail: 100 });
  const stop = reader.start();
  closers.push(() => {
    stop();
    server.closeAllConnections();
    server.close();
  });
  return reader;
}

const json = (response: ServerResponse, body: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

/** A log of `total` lines that answers pages. */
const page = (query: URLSearchParams, total: number, ended: boolean) => {
  const tail = query.get('tail');
  const limit = Number(query.get('limit') ?? 1000);
  const after = tail === null ? Number(query.get('after') ?? 0) : Math.max(0, total - Number(tail));
  const to = Math.min(total, after + limit);
  return { lines: to > after ? lines(after + 1, to) : [], total, nextAfter: to < total ? to : null, ended };
};

describe('LogReader', () => {
  it('loads the tail of a log that has ended', async () => {
    const reader = await readerOf((query, _request, response) => json(response, page(query, 5000, true)));
    await vi.waitFor(() => expect(reader.state.status).toBe('ended'));
    expect(reader.buffer.total).toBe(5000);
    expect(reader.buffer.loaded).toBe(100);
    expect(reader.buffer.text(4901)).toBe('line 4901');
  });

  it('follows, and after a cut goes on behind the last line, without a gap or a double', async () => {
    const asked: (string | undefined)[] = [];
    const reader = await readerOf((query, request, response) => {
      if (query.get('follow') === null) return json(response, page(query, 10, false));
      asked.push(request.headers['last-event-id']?.toString());
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (asked.length === 1) response.write(frame(11, 20), () => response.destroy());
      else response.end(`${frame(16, 30)}event: end\ndata: {"total":30,"state":"succeeded"}\n\n`);
    });
    await vi.waitFor(() => expect(reader.state.status).toBe('ended'));
    expect(asked).toEqual(['10', '20']);
    expect(reader.buffer.loaded).toBe(30);
    expect(reader.buffer.missing(1, 30)).toBeNull();
  });

  it('takes a silent connection for dead', async () => {
    let connections = 0;
    const reader = await readerOf(
      (query, _request, response) => {
        if (query.get('follow') === null) return json(response, page(query, 3, false));
        connections += 1;
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        if (connections === 2) response.end('event: end\ndata: {"total":3,"state":"failed"}\n\n');
      },
      { silenceMs: 60 },
    );
    await vi.waitFor(() => expect(reader.state.status).toBe('ended'));
    expect(connections).toBe(2);
  });

  it('waits for a server that is away', async () => {
    let tries = 0;
    const reader = await readerOf((query, _request, response) => {
      tries += 1;
      if (tries < 4) return json(response, toWire(new HangarError('database_unavailable')), 503);
      json(response, page(query, 3, true));
    });
    await vi.waitFor(() => expect(reader.state.status).toBe('ended'));
  });

  it('says what is wrong when it is of no use to try again', async () => {
    const reader = await readerOf((_query, _request, response) =>
      json(response, toWire(new HangarError('job_not_found')), 404),
    );
    await vi.waitFor(() => expect(reader.state.status).toBe('failed'));
    expect(reader.state.error?.code).toBe('job_not_found');
  });

  it('loads what is looked at', async () => {
    const asked: string[] = [];
    const reader = await readerOf((query, _request, response) => {
      asked.push(query.toString());
      json(response, page(query, 5000, true));
    });
    await vi.waitFor(() => expect(reader.state.status).toBe('ended'));
    for (let n = 4000; n > 2000; n -= 100) reader.need(n, n + 40);
    await vi.waitFor(() => expect(reader.buffer.missing(2100, 2140)).toBeNull());
    expect(asked.length).toBe(2);
    expect(reader.buffer.text(2100)).toBe('line 2100');
  });

  it('searches lines that are not here', async () => {
    const reader = await readerOf((query, _request, response) => {
      if (query.get('grep') === null) return json(response, page(query, 5000, true));
      const first = query.get('after') === '0';
      json(response, { lines: first ? [line(3)] : [line(70)], total: 5000, nextAfter: first ? 3 : null, ended: true });
    });
    const found: number[] = [];
    await reader.search('x', (numbers) => found.push(...numbers), AbortSignal.timeout(5000));
    expect(found).toEqual([3, 70]);
  });
});
