import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createFrames } from './frames.ts';

function frame(kind: number, text: string | Buffer): Buffer {
  const head = Buffer.alloc(8);
  head[0] = kind;
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

function collect() {
  const got = { stdout: '', stderr: '', lasts: 0 };
  const frames = createFrames((kind, piece, isLast) => {
    got[kind] += piece.toString('latin1');
    if (isLast) got.lasts += 1;
  });
  return { got, frames };
}

test('frames are put apart wherever they are broken', () => {
  const long = randomBytes(1000).toString('hex');
  const stream = Buffer.concat([frame(1, 'one'), frame(2, 'two'), frame(1, ''), frame(1, long), frame(2, '!')]);
  for (let size = 1; size < 40; size++) {
    const { got, frames } = collect();
    for (let at = 0; at < stream.length; at += size) frames.push(stream.subarray(at, at + size));
    expect(got).toEqual({ stdout: `one${long}`, stderr: 'two!', lasts: 4 });
    expect(frames.isWhole).toBe(true);
  }
});

test('a piece comes before its frame is there', () => {
  const { got, frames } = collect();
  const begun = frame(1, 'x'.repeat(100)).subarray(0, 60);
  frames.push(begun);
  expect(got).toEqual({ stdout: 'x'.repeat(52), stderr: '', lasts: 0 });
  expect(frames.isWhole).toBe(false);
});

test.each([
  ['a kind that is none', frame(9, 'x')],
  ['no frame at all', Buffer.from('HTTP/1.1 200 OK\r\n')],
])('%s is refused', (_, bytes) => {
  expect(() => collect().frames.push(bytes)).toThrow(/broken/);
});
