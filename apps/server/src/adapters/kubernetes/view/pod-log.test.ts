import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { podLogLines, utc } from './pod-log.ts';

async function read(chunks: readonly string[], after: string | null = null) {
  const response = new IncomingMessage(new Socket());
  for (const chunk of chunks) response.push(chunk);
  response.push(null);
  const lines = [];
  for await (const batch of podLogLines(response, after)) lines.push(...batch);
  return lines;
}

const T = '2026-05-04T14:02:11.123456789Z';

it('lines are whole, whatever the pieces they come in', async () => {
  const text = `${T} eins\n${T} zwei äöü 🚀\n${T} \n${T} last`;
  const whole = await read([text]);
  expect(whole.map((line) => line.text)).toEqual(['eins', 'zwei äöü 🚀', '', 'last']);
  for (let at = 1; at < text.length; at += 7) expect(await read([text.slice(0, at), text.slice(at)])).toEqual(whole);
});

it('after a cut, what the reader has is left out, though the API server counts in seconds', async () => {
  const at = (nanos: string) => `2026-05-04T14:02:11.${nanos}Z`;
  const lines = await read([`${at('1')} a\n${at('100000001')} b\n${at('2')} c\n`], at('100000000'));
  expect(lines).toEqual([
    { at: '2026-05-04T14:02:11.100000001Z', text: 'b' },
    { at: '2026-05-04T14:02:11.200000000Z', text: 'c' },
  ]);
});

it('times are of one length and in UTC', () => {
  expect(utc('2026-05-04T14:02:11Z')).toBe('2026-05-04T14:02:11.000000000Z');
  expect(utc('2026-05-04T16:02:11.5+02:00')).toBe('2026-05-04T14:02:11.500000000Z');
  expect(utc('yesterday')).toBeNull();
});

it('what has no time, as words of the kubelet, keeps its place', async () => {
  expect(await read([`${T} a\nfailed to try resolving symlinks in path\n`])).toEqual([
    { at: T, text: 'a' },
    { at: T, text: 'failed to try resolving symlinks in path' },
  ]);
});

it('a line without an end does not fill the memory', async () => {
  const lines = await read([`${T} `, ...Array.from({ length: 40 }, () => 'x'.repeat(10_000)), `\n${T} next\n`]);
  expect(lines).toHaveLength(2);
  expect(lines[0]?.text.length).toBeLessThanOrEqual(64 * 1024);
  expect(lines[1]?.text).toBe('next');
});
