import { HangarError, toWire } from '@hangar/contract';
import { expect, it } from 'vitest';
import { connectAlone, Streams } from '../../api/streams/streams.tsx';
import { PodLogReader } from './pod-log-reader.ts';

const at = '2026-05-04T14:02:11.000Z';
const frame = (id: string, ...lines: [n: number, text: string][]) =>
  `id: ${id}\ndata: ${JSON.stringify(lines.map(([n, text]) => ({ n, at, text })))}\n\n`;

/** A server that gives one answer after the other, and keeps what it was asked with. */
function serverOf(...answers: (() => Response)[]) {
  const asked: (string | null)[] = [];
  const fetcher: typeof fetch = async (_url, init) => {
    asked.push(new Headers(init?.headers).get('last-event-id'));
    const answer = answers[asked.length - 1];
    if (!answer) throw new TypeError('connection refused');
    return answer();
  };
  const timing = { pauses: [5], lingerMs: 5 };
  const streams = new Streams({
    connect: (onMessage) => connectAlone(onMessage, { places: 1, fetcher, timing }),
    onOver: () => {},
  });
  streams.signedIn('u_ada');
  return { asked, streams };
}
const stream = (text: string) => () => new Response(text, { headers: { 'content-type': 'text/event-stream' } });

it('follows, goes on after the last frame when it is cut, and ends with the log', async () => {
  const server = serverOf(
    stream(frame('1@a', [1, 'one'])),
    stream(`${frame('3@b', [2, 'two'], [3, 'three'])}event: alive\ndata: {}\n\n`),
    stream(`${frame('4@c', [4, 'four'])}event: end\ndata: {"total":4}\n\n`),
  );
  const reader = new PodLogReader(server.streams, '/log');
  const statuses: string[] = [];
  reader.subscribe(() => statuses.push(reader.snapshot().status));
  reader.start();
  await expect.poll(() => reader.snapshot().status, { timeout: 10_000 }).toBe('ended');
  expect(server.asked).toEqual([null, '1@a', '3@b']);
  expect([1, 2, 3, 4].map((n) => reader.buffer.text(n))).toEqual(['one', 'two', 'three', 'four']);
  expect(statuses).toContain('reconnecting');
});

it('what does not heal by waiting is told, and can be tried again', async () => {
  const error = new HangarError('pod_log_not_there', { message: 'web is waiting to start.' });
  const server = serverOf(
    () => Response.json(toWire(error), { status: 404 }),
    stream(`${frame('1@a', [1, 'one'])}event: end\ndata: {"total":1}\n\n`),
  );
  const reader = new PodLogReader(server.streams, '/log');
  reader.start();
  await expect.poll(() => reader.snapshot().status).toBe('failed');
  expect(reader.snapshot().error).toMatchObject({ code: 'pod_log_not_there', message: 'web is waiting to start.' });
  reader.start();
  await expect.poll(() => reader.snapshot().status).toBe('ended');
  expect(reader.buffer.total).toBe(1);
});

it('stops when nobody looks any more', async () => {
  const server = serverOf();
  const stop = new PodLogReader(server.streams, '/log').start();
  stop();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(server.asked.length).toBeLessThanOrEqual(1);
});
