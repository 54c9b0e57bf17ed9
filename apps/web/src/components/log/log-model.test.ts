import type { LogLine, LogStream } from '@hangar/contract';
import { describe, expect, it, vi } from 'vitest';
import { cellsOf } from './cells.ts';
import { CHUNK, LogBuffer } from './log-buffer.ts';
import { LogLayout } from './log-layout.ts';
import { LogSearch, spansOf } from './log-search.ts';

const line = (n: number, text = `line ${n}`, stream: LogStream = 'stdout'): LogLine => ({
  n,
  at: new Date(1_700_000_000_000 + n).toISOString(),
  stream,
  text,
});
const lines = (from: number, to: number, make = line) =>
  Array.from({ length: to - from + 1 }, (_, index) => make(from + index));
const filled = (count: number, make = line) => {
  const buffer = new LogBuffer();
  buffer.put(lines(1, count, make));
  return buffer;
};
const laidOut = (buffer: LogBuffer, columns: number | null = null, streams: LogStream[] | null = null) => {
  const layout = new LogLayout(buffer);
  layout.update({ columns, streams: streams === null ? null : new Set(streams) });
  return layout;
};

describe('LogBuffer', () => {
  it('keeps lines across chunks as they came', () => {
    const buffer = filled(CHUNK * 2 + 5, (n) => line(n, `text ${n} ä`, n % 7 === 0 ? 'stderr' : 'stdout'));
    expect(buffer.total).toBe(CHUNK * 2 + 5);
    expect(buffer.text(1)).toBe('text 1 ä');
    expect(buffer.text(CHUNK)).toBe(`text ${CHUNK} ä`);
    expect(buffer.text(CHUNK + 1)).toBe(`text ${CHUNK + 1} ä`);
    expect(buffer.stream(14)).toBe('stderr');
    expect(buffer.at(2)).toBe(1_700_000_000_002);
    expect(buffer.text(CHUNK * 2 + 6)).toBeUndefined();
  });

  it('takes lines twice and in any order', () => {
    const buffer = new LogBuffer();
    expect(buffer.put(lines(900, 1100))).toBe(201);
    expect(buffer.put(lines(1000, 1200))).toBe(100);
    expect(buffer.put(lines(1000, 1200))).toBe(0);
    expect(buffer.put(lines(1, 950))).toBe(899);
    expect(buffer.loaded).toBe(1200);
    expect(buffer.missing(1, 1200)).toBeNull();
    for (const n of [1, 899, 900, 1024, 1025, 1200]) expect(buffer.text(n)).toBe(`line ${n}`);
  });

  it('names the gap', () => {
    const buffer = new LogBuffer();
    buffer.grow(5000);
    buffer.put(lines(4001, 5000));
    expect(buffer.missing(3990, 4010)).toEqual({ from: 3990, to: 4000 });
    expect(buffer.missing(-5, 3)).toEqual({ from: 1, to: 3 });
    expect(buffer.missing(4500, 9000)).toBeNull();
  });

  it('tells its listeners once for many lines', async () => {
    const buffer = new LogBuffer();
    const told = vi.fn();
    buffer.subscribe(told);
    for (let n = 1; n <= 500; n += 1) buffer.put([line(n)]);
    await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(1));
  });

  it('lets go of what is far from the reader, never of the end', () => {
    const buffer = new LogBuffer({ keepCharacters: 40_000, canReload: true });
    buffer.focus = 1;
    buffer.put(lines(1, CHUNK * 8));
    expect(buffer.loaded).toBeLessThan(CHUNK * 6);
    expect(buffer.has(1)).toBe(true);
    expect(buffer.has(CHUNK * 8)).toBe(true);
    expect(buffer.total).toBe(CHUNK * 8);
    const gap = buffer.missing(1, buffer.total);
    expect(gap).not.toBeNull();
    buffer.put(lines(gap?.from ?? 0, (gap?.from ?? 0) + 10));
    expect(buffer.text(gap?.from ?? 0)).toBe(`line ${gap?.from}`);
  });

  it('holds a million lines', () => {
    const buffer = new LogBuffer();
    const at = '2026-01-01T00:00:00.000Z';
    for (let n = 1; n <= 1_000_000; n += 1) buffer.put([{ n, at, stream: 'stdout', text: 'abc' }]);
    const layout = laidOut(buffer);
    expect(layout.totalRows).toBe(1_000_000);
    expect(layout.items(999_990, 1_000_100).at(-1)?.n).toBe(1_000_000);
  });
});

describe('LogLayout', () => {
  it('is one row a line without wrapping', () => {
    const layout = laidOut(filled(3000));
    expect(layout.totalRows).toBe(3000);
    expect(layout.rowOf(2000)).toBe(1999);
    expect(layout.items(1022, 1026).map((item) => item.n)).toEqual([1023, 1024, 1025, 1026]);
  });

  it('counts the rows of wrapped lines', () => {
    const layout = laidOut(
      filled(2000, (n) => line(n, 'x'.repeat(n % 2 === 0 ? 25 : 3))),
      10,
    );
    expect(layout.totalRows).toBe(1000 * 3 + 1000);
    expect(layout.item(2)).toMatchObject({ row: 1, rows: 3 });
    expect(layout.items(2, 3).map((item) => item.n)).toEqual([2]);
    expect(layout.rowOf(1999)).toBe(999 * 4);
  });

  it('corrects a row that was measured', () => {
    const layout = laidOut(filled(10), 80);
    expect(layout.measure(4, 2)).toBe(true);
    layout.update({ columns: 80, streams: null });
    expect(layout.item(4)?.rows).toBe(2);
    expect(layout.rowOf(5)).toBe(5);
    expect(layout.measure(4, 2)).toBe(false);
  });

  it('shows only some streams', () => {
    const layout = laidOut(
      filled(3000, (n) => line(n, 'x', n % 100 === 0 ? 'stderr' : 'stdout')),
      null,
      ['stderr'],
    );
    expect(layout.totalLines).toBe(30);
    expect(layout.items(0, 3).map((item) => item.n)).toEqual([100, 200, 300]);
    expect(layout.rowOf(1500)).toBe(14);
    expect(layout.rowOf(1501)).toBe(15);
    expect(layout.item(1501)).toBeNull();
    expect(layout.positionOf(3000)).toBe(29);
  });

  it('keeps a place for lines that are not loaded', () => {
    const buffer = new LogBuffer();
    buffer.grow(5000);
    buffer.put(lines(4001, 5000, (n) => line(n, 'x', 'stderr')));
    expect(laidOut(buffer).totalRows).toBe(5000);
    expect(laidOut(buffer).items(3999, 4001)).toMatchObject([
      { n: 4000, missing: true },
      { n: 4001, missing: false },
    ]);
    const filtered = laidOut(buffer, null, ['stderr']);
    expect(filtered.totalLines).toBe(1004);
    expect(filtered.items(0, 2)).toMatchObject([
      { n: 1, missing: true },
      { n: 1025, missing: true },
    ]);
  });

  it('follows growth', () => {
    const buffer = filled(10);
    const layout = laidOut(buffer);
    buffer.put(lines(11, 2000));
    layout.update({ columns: null, streams: null });
    expect(layout.totalRows).toBe(2000);
  });
});

describe('LogSearch', () => {
  const done = async (search: LogSearch) => {
    await vi.waitFor(() => expect(search.state.searching).toBe(false));
    return search.state;
  };

  it('finds lines whatever their case and colour, forwards, backwards and around the end', async () => {
    const buffer = filled(5000, (n) => line(n, n % 1000 === 0 ? `an \u001b[31mEr\u001b[0mror at ${n}` : `line ${n}`));
    const search = new LogSearch(buffer);
    search.start('error');
    expect((await done(search)).count).toBe(5);
    expect(search.next(1, 1)).toBe(1000);
    expect(search.next(1000, 1)).toBe(2000);
    expect(search.next(5000, 1)).toBe(1000);
    expect(search.next(1000, -1)).toBe(5000);
    expect(search.next(2500, -1)).toBe(2000);
    expect(search.ordinal(3000)).toBe(3);
    expect(search.ordinal(3001)).toBe(0);
    expect(search.matches(4000)).toBe(true);
  });

  it('finds a single match again', async () => {
    const search = new LogSearch(filled(2000, (n) => line(n, n === 7 ? 'needle' : 'hay')));
    search.start('needle');
    await done(search);
    expect(search.next(7, 1)).toBe(7);
    expect(search.next(7, -1)).toBe(7);
  });

  it('goes on as lines arrive, and takes signs literally', async () => {
    const buffer = filled(10, (n) => line(n, `[${n}] (a.b)`));
    const search = new LogSearch(buffer);
    search.start('(A.B)');
    expect((await done(search)).count).toBe(10);
    buffer.put(lines(11, 2000, (n) => line(n, n % 2 === 0 ? '(a.b)' : '(axb)')));
    search.refresh();
    await vi.waitFor(() => expect(search.state.count).toBe(10 + 995));
  });

  it('asks the server about lines that are not here', async () => {
    const buffer = new LogBuffer();
    buffer.grow(100_000);
    buffer.put(lines(99_001, 100_000, (n) => line(n, n === 99_500 ? 'needle' : 'hay')));
    const search = new LogSearch(buffer, async (_text, found) => found([12, 99_500]));
    search.start('needle');
    expect((await done(search)).count).toBe(2);
    expect(search.next(99_500, -1)).toBe(12);
    expect(search.next(99_500, 1)).toBe(12);
  });

  it('says so when part of the log could not be searched', async () => {
    const buffer = new LogBuffer();
    buffer.grow(100_000);
    buffer.put(lines(99_001, 100_000));
    const search = new LogSearch(buffer, () => Promise.reject(new Error('offline')));
    search.start('99999');
    await done(search);
    expect(search.state).toMatchObject({ count: 1, partial: true });
  });

  it('gives the places in a line', () => {
    expect(spansOf('Foo food', 'foo')).toEqual([
      [0, 3],
      [4, 7],
    ]);
  });
});

describe('cellsOf', () => {
  it('counts columns', () => {
    expect(cellsOf('abc')).toBe(3);
    expect(cellsOf('日本')).toBe(4);
    expect(cellsOf('e\u0301')).toBe(1);
    expect(cellsOf('✔ ok')).toBe(4);
    expect(cellsOf('🚀')).toBe(2);
  });
});
