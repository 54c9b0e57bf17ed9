import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { createOutlet } from './outlet.ts';

const bytes = (words: string) => Buffer.from(words);

describe('a stream that begins after its mark', () => {
  test('the mark may come in pieces, with what is before and after it', async () => {
    let marked = 0;
    const outlet = createOutlet('MARK', () => {
      marked += 1;
    });
    for (const piece of ['noise MA', 'R', 'Kfirst ', 'MARK is no mark twice']) outlet.put(bytes(piece));
    outlet.end();
    expect(await text(outlet.stream)).toBe('first MARK is no mark twice');
    expect(marked).toBe(1);
  });

  test('without it what came is given at the end, the newest of it', async () => {
    const outlet = createOutlet('MARK');
    for (let at = 0; at < 100; at += 1) outlet.put(bytes(`${at}`.padEnd(1000, ' ')));
    outlet.put(bytes('why'));
    outlet.end();
    const told = await text(outlet.stream);
    expect(told.length).toBeLessThanOrEqual(64 * 1024);
    expect(told.endsWith('why')).toBe(true);
  });

  test('who feeds it waits for who reads, and no longer than that one is there', async () => {
    const outlet = createOutlet('M');
    outlet.put(bytes('M'));
    const full = outlet.put(Buffer.alloc(1024 * 1024));
    expect(full).toBeInstanceOf(Promise);
    const first = await new Promise((resolve) => outlet.stream.once('data', resolve));
    expect((first as Buffer).length).toBe(1024 * 1024);
    await full;
    outlet.stream.pause();
    const again = outlet.put(Buffer.alloc(1024 * 1024));
    outlet.fail(new Error('gone'));
    await again;
    expect(outlet.put(bytes('late'))).toBeUndefined();
  });
});
