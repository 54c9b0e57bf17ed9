import { expect, test } from 'vitest';
import { LogBatch } from './worker.ts';

const batch = (texts: readonly string[]) => ({
  seq: 1,
  lines: texts.map((text) => ({ at: '2026-01-01T00:00:00Z', stream: 'stdout', text })),
});

test('line ends inside a text count as lines of a batch', () => {
  expect(LogBatch.safeParse(batch(Array.from({ length: 10_000 }, () => 'x'))).success).toBe(true);
  expect(LogBatch.safeParse(batch(['a\nb', `${'\n'.repeat(9_997)}`])).success).toBe(true);
  expect(LogBatch.safeParse(batch(['a\nb', `${'\n'.repeat(9_998)}`])).success).toBe(false);
  const { error } = LogBatch.safeParse(batch(['\n'.repeat(16_000_000)]));
  expect(error?.issues[0]?.message).toContain('At most 10000 lines');
});
