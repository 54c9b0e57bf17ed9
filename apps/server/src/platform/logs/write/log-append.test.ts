import { LOG_LINE_BYTES } from '@hangar/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf, packChunks } from '../log-line.ts';
import { batch } from '../testing/index.ts';
import { type Append, type LogState, planAppend } from './log-append.ts';

const EMPTY: LogState = { revision: 0, lastLine: 0, bytes: 0, truncated: false, ended: false, sources: {} };
const NOW = Date.UTC(2026, 0, 1);

const append = (source: string, seq: number, texts: string[], maxBytes = 1e9): Append => ({
  source,
  ...batch(seq, texts),
  maxBytes,
});
const texts = (lines: readonly { text: string }[]) => lines.map(({ text }) => text);

test('batches are numbered through, by source in order, whatever order they came in', () => {
  const plan = planAppend(
    EMPTY,
    [append('1', 2, ['c']), append('2', 1, ['x']), append('1', 1, ['a', 'b']), append('1', 1, ['a', 'b'])],
    NOW,
  );
  expect(texts(plan.lines)).toEqual(['a', 'b', 'x', 'c']);
  expect(plan.lines.map(({ n }) => n)).toEqual([1, 2, 3, 4]);
  expect(plan.acks).toEqual([2, 1, 2, 2]);
  expect(plan.next).toMatchObject({ lastLine: 4, revision: 1, sources: { 1: 2, 2: 1 } });
});

test('a gap is refused with what is stored, a batch seen before is acknowledged and nothing is written', () => {
  const state = { ...EMPTY, sources: { 1: 3 } };
  const gap = planAppend(state, [append('1', 5, ['late'])], NOW);
  expect(gap).toMatchObject({ acks: [3], gap: true, changed: false, lines: [] });
  const again = planAppend(state, [append('1', 2, ['again'])], NOW);
  expect(again).toMatchObject({ acks: [3], gap: false, changed: false, lines: [] });
});

test('over the limit one line says so, and the rest is acknowledged and dropped', () => {
  const most = 2 * (4 + LOG_LINE_BYTES);
  const first = planAppend(
    EMPTY,
    [append('1', 1, ['1234', '5678', 'over', 'x'], most), append('1', 2, ['y'], most)],
    NOW,
  );
  expect(texts(first.lines)).toEqual([
    '1234',
    '5678',
    'The log has reached its limit of 158 B; what follows is not kept.',
  ]);
  expect(first.acks).toEqual([2, 2]);
  expect(first.next).toMatchObject({ truncated: true, lastLine: 3 });
  const then = planAppend(first.next, [append('1', 3, ['z'], most)], NOW);
  expect(then).toMatchObject({ acks: [3], lines: [], changed: true });
  const system = planAppend(then.next, [{ ...append('!', 1, ['said by Hangar']), seq: null }], NOW);
  expect(texts(system.lines)).toEqual(['said by Hangar']);
  const once = append('!ended', 1, ['said once'], Number.POSITIVE_INFINITY);
  expect(texts(planAppend(then.next, [once], NOW).lines)).toEqual(['said once']);
});

test('a line costs about what it is when stored, also an empty one', () => {
  const lines = Array.from({ length: 5000 }, (_, n) => (n % 2 === 0 ? '' : '€uro'));
  const state = { ...EMPTY, lastLine: 1_000_000 };
  const plan = planAppend(state, [append('1', 1, lines)], NOW);
  const stored = packChunks(plan.lines).reduce((sum, { data }) => sum + Buffer.byteLength(data), 0);
  expect(plan.next.bytes / stored).toBeGreaterThan(0.98);
  expect(plan.next.bytes / stored).toBeLessThan(1.03);
});

test('nothing is added to a log that has ended; a worker that still sends is told to forget', () => {
  const plan = planAppend({ ...EMPTY, ended: true }, [append('1', 7, ['late'])], NOW);
  expect(plan).toMatchObject({ acks: [7], lines: [], changed: false });
});

test('what a worker sends is made fit to store', () => {
  const long = '€'.repeat(30_000);
  const lines = [
    { at: '2026-01-01T00:00:00.123456Z', stream: 'stdout' as const, text: 'a\0b\ud800' },
    { at: '0000-01-01T00:00:00Z', stream: 'stderr' as const, text: 'two\r\nlines' },
    { at: '9999-01-01T00:00:00Z', stream: 'stdout' as const, text: long },
  ];
  const plan = planAppend(EMPTY, [{ source: '1', seq: 1, lines, maxBytes: 1e9 }], NOW);
  expect(texts(plan.lines.slice(0, 3))).toEqual(['a\u{fffd}b\u{fffd}', 'two', 'lines']);
  expect(plan.lines[0]?.at).toBe('2026-01-01T00:00:00.123Z');
  expect(plan.lines[1]?.at).toBe('2026-01-01T00:00:00.000Z');
  expect(plan.lines[3]?.at).toBe('2026-01-01T00:00:00.000Z');
  const cut = plan.lines[3]?.text ?? '';
  expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(64 * 1024);
  expect(cut).toMatch(/^€+ … \[cut: \d+ bytes more\]$/);
});

test('chunks hold all lines in order, whatever is in them', () => {
  const line = fc.record({
    text: fc.string({ unit: 'binary', maxLength: 200 }),
    times: fc.integer({ min: 1, max: 400 }),
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), (inputs) => {
      const lines = inputs.map(({ text, times }) => ({
        at: '2026-01-01T00:00:00Z',
        stream: 'stdout' as const,
        text: text.repeat(times),
      }));
      const plan = planAppend(EMPTY, [{ source: '1', seq: 1, lines, maxBytes: 1e9 }], NOW);
      const chunks = packChunks(plan.lines);
      expect(chunks.flatMap((chunk) => linesOf(chunk))).toEqual(plan.lines);
      for (const chunk of chunks) {
        expect(chunk.data).not.toContain('\0');
        expect(chunk.data).not.toContain('\n');
        expect(linesOf(chunk).map(({ n }) => n)).toEqual(
          Array.from({ length: chunk.last - chunk.first + 1 }, (_, index) => chunk.first + index),
        );
      }
    }),
    { numRuns: 50 },
  );
});
