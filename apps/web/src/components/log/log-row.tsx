import type { LogStream } from '@hangar/contract';
import { formatCount } from '@hangar/contract/words/number';
import { type CSSProperties, memo, type ReactNode } from 'react';
import { type AnsiRun, type AnsiStyle, parseAnsi } from './ansi.ts';
import { runCss } from './ansi-color.ts';
import classes from './log.module.css';
import { DRAWN_CELLS } from './log-layout.ts';
import { spansOf } from './log-search.ts';

export interface LogRowProps {
  n: number;
  /** undefined: the line is not loaded. */
  text: string | undefined;
  stream: LogStream;
  /** Milliseconds since 1970; null hides the column. */
  at: number | null;
  /** Rows it is expected to take. */
  rows: number;
  query: string;
  isCurrent: boolean;
  isMarked: boolean;
  /** Of the links to lines one is reached by Tab, the others by arrow keys from there. */
  isTabStop: boolean;
}

const MARKS: Record<LogStream, string> = { stdout: '', stderr: 'err', system: 'sys' };
const SPOKEN: Record<LogStream, string> = { stdout: '', stderr: 'standard error: ', system: 'Hangar: ' };

/** One line. Text is only ever a text node. */
export const LogRow = memo(function LogRow(props: LogRowProps) {
  const { n, text, stream, at, rows, query, isCurrent, isMarked, isTabStop } = props;
  return (
    <div
      className={classes.row}
      data-n={n}
      data-stream={text === undefined ? undefined : stream}
      data-current={isCurrent || undefined}
      data-marked={isMarked || undefined}
      data-rows={rows}
    >
      <a
        className={classes.number}
        href={`#L${n}`}
        data-line={n}
        tabIndex={isTabStop ? 0 : -1}
        aria-label={`Link to line ${n}`}
      >
        {n}
      </a>
      {at === null ? null : <span className={classes.time}>{text === undefined ? '' : clockMs(at)}</span>}
      <span className={classes.mark} aria-hidden>
        {text === undefined ? '' : MARKS[stream]}
      </span>
      {text === undefined ? (
        <span
          className={classes.missing}
          role="img"
          aria-label="Loading"
          style={{ width: `${12 + ((n * 37) % 40)}ch` }}
        />
      ) : (
        <span className={classes.text}>
          {SPOKEN[stream] === '' ? null : <span className="hg-sr">{SPOKEN[stream]}</span>}
          <LineText text={text} query={query} />
        </span>
      )}
    </div>
  );
});

function LineText({ text, query }: { text: string; query: string }) {
  // Escape sequences take room too: a cut line is parsed from a little more than is drawn.
  const isCut = text.length > DRAWN_CELLS;
  const runs = parseAnsi(isCut ? text.slice(0, DRAWN_CELLS) : text);
  if (runs.length === 0) return <> </>;
  const plain = runs.length === 1 ? (runs[0]?.text ?? '') : runs.map((run) => run.text).join('');
  const spans = spansOf(plain, query);
  return (
    <>
      {drawn(runs, spans)}
      {isCut ? (
        <span className={classes.cut}>… {formatCount(text.length - DRAWN_CELLS)} more characters, see raw</span>
      ) : null}
    </>
  );
}

/** Runs cut at the ends of the marked spans. */
function drawn(runs: readonly AnsiRun[], spans: readonly [number, number][]): ReactNode[] {
  const parts: ReactNode[] = [];
  let at = 0;
  for (const run of runs) {
    const end = at + run.text.length;
    let from = at;
    for (const [start, stop] of spans) {
      if (stop <= from || start >= end) continue;
      if (start > from) parts.push(piece(parts.length, run.text.slice(from - at, start - at), run.style, false));
      const until = Math.min(stop, end);
      parts.push(piece(parts.length, run.text.slice(Math.max(start, from) - at, until - at), run.style, true));
      from = until;
    }
    if (from < end) parts.push(piece(parts.length, run.text.slice(from - at), run.style, false));
    at = end;
  }
  return parts;
}

function piece(key: number, text: string, style: AnsiStyle, isMatch: boolean): ReactNode {
  const className = classesOf(style);
  const css = isMatch ? {} : runCss(style);
  if (isMatch)
    return (
      <mark key={key} className={className === '' ? classes.match : `${classes.match} ${className}`}>
        {text}
      </mark>
    );
  if (className === '' && css.color === undefined) return text;
  return (
    <span key={key} className={className === '' ? undefined : className} style={css satisfies CSSProperties}>
      {text}
    </span>
  );
}

function classesOf(style: AnsiStyle): string {
  const names: (string | undefined)[] = [];
  if (style.bold) names.push(classes.bold);
  if (style.dim) names.push(classes.dim);
  if (style.italic) names.push(classes.italic);
  if (style.underline) names.push(classes.underline);
  if (style.strike) names.push(classes.strike);
  return names.join(' ');
}

/** `14:02:11.482`, local time. */
function clockMs(at: number): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
