import type { LogLine, LogStream } from '@hangar/contract';
import { type ReactNode, useEffect, useState } from 'react';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { NOW } from '../../gallery/samples.ts';
import { LogBuffer } from './log-buffer.ts';
import type { LineRange } from './log-link.ts';
import { LogView, type LogViewProps } from './log-view.tsx';

const START = new Date(NOW).getTime() - 240_000;

const line = (n: number, text: string, stream: LogStream = 'stdout'): LogLine => ({
  n,
  at: new Date(START + n * 37).toISOString(),
  stream,
  text,
});

const numbered = (texts: readonly (string | [string, LogStream])[]): LogLine[] =>
  texts.map((text, index) => (typeof text === 'string' ? line(index + 1, text) : line(index + 1, text[0], text[1])));

const E = '\u001b';
const BUILD = numbered([
  ['Cloned acme/search at 4f1c2ab in 1.8 s', 'system'],
  ['Running agent shell in /work', 'system'],
  '$ npm ci',
  `${E}[2madded 412 packages in 9s${E}[0m`,
  '$ npm test',
  '',
  `${E}[1m${E}[7m RUN ${E}[27m v5.1.1${E}[0m ${E}[2m/work/search${E}[0m`,
  '',
  ` ${E}[32m✓${E}[39m src/index.test.ts ${E}[2m(14 tests)${E}[22m ${E}[32m212ms${E}[39m`,
  ` ${E}[32m✓${E}[39m src/rank.test.ts ${E}[2m(31 tests)${E}[22m ${E}[33m1480ms${E}[39m`,
  ` ${E}[31m❯${E}[39m src/query.test.ts ${E}[2m(9 tests | ${E}[31m1 failed${E}[39m)${E}[22m`,
  [`${E}[31m${E}[1mAssertionError${E}[22m: expected [ 'a', 'b' ] to deeply equal [ 'a' ]${E}[39m`, 'stderr'],
  ['    at src/query.test.ts:41:22', 'stderr'],
  [`${E}[33mwarning${E}[39m: 2 deprecated packages`, 'stderr'],
  `${E}[38;5;208m256 colours${E}[0m, ${E}[38;2;120;80;255mtruecolour${E}[0m, ${E}[4munderline${E}[0m, ${E}[9mstruck${E}[0m, ${E}[3mitalic${E}[0m, ${E}[43;30m on yellow ${E}[0m ${E}[44m on blue ${E}[0m`,
  `${E}[30mblack${E}[31m red${E}[32m green${E}[33m yellow${E}[34m blue${E}[35m magenta${E}[36m cyan${E}[37m white${E}[0m`,
  `${E}[90mblack${E}[91m red${E}[92m green${E}[93m yellow${E}[94m blue${E}[95m magenta${E}[96m cyan${E}[97m white${E}[0m`,
  `${E}]8;;https://example.org${E}\\a link without its address${E}]8;;${E}\\ and ${E}]0;title${E}[2Ja cleared screen`,
  '  3%\r 47%\r100% done',
  '<img src=x onerror=alert(1)> <script>alert(1)</script> stays text',
  'col\tumns\ton\teights',
  '日本語 and émojis 🚀 keep their columns',
  ['Saved a partial diff: 3 files', 'system'],
]);

const WORDS = ['resolve', 'compile', 'link', 'test', 'pack', 'hash', 'copy', 'index', 'rank', 'flush'];
const generated = (n: number): LogLine => {
  const word = WORDS[(n * 7) % WORDS.length] ?? 'test';
  const text = `${word} module-${(n * 2654435761) % 9973} took ${(n * 31) % 997} ms, ${'·'.repeat((n * 13) % 40)} step ${n}`;
  if (n % 997 === 0) return line(n, `\u001b[31merror\u001b[0m: ${text}`, 'stderr');
  return n % 50 === 0 ? line(n, `\u001b[32m✓\u001b[0m ${text}`) : line(n, text);
};
const manyLines = (from: number, to: number): LogLine[] =>
  Array.from({ length: to - from + 1 }, (_, index) => generated(from + index));

const LONG = numbered([
  'short',
  `{"level":"info","msg":"${'a very long line of JSON '.repeat(30)}"}`,
  [`error: ${'x'.repeat(700)}`, 'stderr'],
  '日本語'.repeat(120),
  `one line of 60,000 characters: ${'0123456789'.repeat(6000)}`,
  'short again',
]);

type FrameProps = Partial<LogViewProps> & { make: () => LogBuffer; grow?: number };

function Frame({ make, grow, ...props }: FrameProps): ReactNode {
  const [buffer] = useState(make);
  const [marked, setMarked] = useState<LineRange | null>(props.marked ?? null);
  useEffect(() => {
    if (grow === undefined) return;
    const timer = setInterval(() => buffer.put(manyLines(buffer.total + 1, buffer.total + Math.ceil(grow / 20))), 50);
    return () => clearInterval(timer);
  }, [buffer, grow]);
  return (
    <div style={{ height: 'min(560px, calc(100dvh - 120px))' }}>
      <LogView
        buffer={buffer}
        label="Log of job j_7k2m9x4q"
        empty="Nothing printed yet. The log begins when the job starts."
        state="ended"
        rawHref="#raw"
        downloadHref="#download"
        onMark={setMarked}
        {...props}
        marked={marked}
      />
    </div>
  );
}

const filled = (lines: () => readonly LogLine[]) => () => {
  const buffer = new LogBuffer();
  buffer.put(lines());
  return buffer;
};

export const entries: GalleryEntry[] = [
  { id: 'log/ended', title: 'A log that has ended, with colours', render: () => <Frame make={filled(() => BUILD)} /> },
  {
    id: 'log/marked',
    title: 'Lines that are linked to',
    render: () => <Frame make={filled(() => BUILD)} marked={{ from: 11, to: 13 }} />,
  },
  { id: 'log/long-lines', title: 'Very long lines', render: () => <Frame make={filled(() => LONG)} /> },
  {
    id: 'log/loading',
    title: 'Lines that are still loading',
    render: () => (
      <Frame
        state="loading"
        make={() => {
          const buffer = new LogBuffer();
          buffer.grow(4000);
          return buffer;
        }}
      />
    ),
  },
  {
    id: 'log/empty',
    title: 'Nothing printed yet',
    render: () => <Frame state="live" make={() => new LogBuffer()} />,
  },
  {
    id: 'log/reconnecting',
    title: 'The connection is lost',
    render: () => (
      <Frame
        state="reconnecting"
        notice="Connection lost, trying again. Lines up to 14:02:11 are here."
        make={filled(() => manyLines(1, 300))}
      />
    ),
  },
  {
    id: 'log/live',
    title: 'A live log, 100 lines a second',
    render: () => <Frame state="live" grow={100} make={filled(() => manyLines(1, 200))} />,
  },
  {
    id: 'log/flood',
    title: 'A live log, 5,000 lines a second',
    render: () => <Frame state="live" grow={5000} make={filled(() => manyLines(1, 200))} />,
  },
  {
    id: 'log/200000-lines',
    title: '200,000 lines',
    render: () => <Frame make={filled(() => manyLines(1, 200_000))} />,
  },
  {
    id: 'log/million-lines',
    title: 'A million lines',
    render: () => (
      <Frame
        make={() => {
          const buffer = new LogBuffer();
          for (let from = 1; from <= 1_000_000; from += 10_000) buffer.put(manyLines(from, from + 9999));
          return buffer;
        }}
      />
    ),
  },
];
