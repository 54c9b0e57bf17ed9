import type { LogStream } from '@hangar/contract';
import { plural } from '@hangar/contract/words/number';
import { Button } from '@mantine/core';
import { IconArrowDown } from '@tabler/icons-react';
import {
  type CSSProperties,
  type MouseEvent,
  type ReactNode,
  type Ref,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useReducer,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import { isNarrow } from './cells.ts';
import classes from './log.module.css';
import type { LogBuffer } from './log-buffer.ts';
import { DRAWN_CELLS, LogLayout } from './log-layout.ts';
import { clickLine, type LineRange, lineHash } from './log-link.ts';
import { LogRow } from './log-row.tsx';
import type { LogSearch } from './log-search.ts';
import { useLineLinks } from './use-line-links.ts';
import { type LogViewport, ROW, useLogViewport } from './use-log-viewport.ts';

export interface LogControl {
  /** false: the filter hides the line. */
  jumpTo: (n: number) => boolean;
  toStart: () => void;
  follow: () => void;
  toggleFollow: () => void;
  firstSeen: () => number;
  focus: () => void;
}

interface LogBodyProps {
  ref: Ref<LogControl>;
  buffer: LogBuffer;
  search: LogSearch;
  query: string;
  streams: ReadonlySet<LogStream> | null;
  wrap: boolean;
  showTime: boolean;
  current: number | null;
  marked: LineRange | null;
  onMark: (range: LineRange | null) => void;
  need: ((from: number, to: number) => void) | undefined;
  onFollowing: (following: boolean) => void;
  empty: ReactNode;
  isLive: boolean;
  label: string;
  notice: ReactNode;
}

/** The lines themselves. Draws only what can be seen, again at most once a frame. */
export function LogBody(props: LogBodyProps) {
  const { buffer, streams, wrap, showTime, query, current, marked, need } = props;
  useSyncExternalStore(buffer.subscribe, buffer.snapshot);
  const scroller = useRef<HTMLElement>(null);
  const sizer = useRef<HTMLDivElement>(null);
  const [, measured] = useReducer((count: number) => count + 1, 0);
  const layout = useLayout(buffer);
  const digits = Math.max(3, String(buffer.total).length);
  const size = useSize(scroller, sizer, digits, showTime);
  layout.update({ columns: wrap ? size.columns : null, streams });
  const view = useLogViewport(scroller, buffer, layout, size.height);

  useImperativeHandle(props.ref, () => ({
    jumpTo: (n) => {
      if (layout.item(n) === null) return false;
      view.jumpTo(n);
      return true;
    },
    toStart: view.toStart,
    follow: view.follow,
    toggleFollow: () => (view.isFollowing ? view.unfollow() : view.follow()),
    firstSeen: view.firstSeen,
    focus: () => scroller.current?.focus(),
  }));

  const { onFollowing } = props;
  useEffect(() => onFollowing(view.isFollowing), [onFollowing, view.isFollowing]);
  useMarkedAtStart(buffer, view, marked);
  useMissing(view, need);
  useMeasured(scroller, buffer, layout, wrap, measured);

  const onClick = (event: MouseEvent<HTMLElement>) => {
    const link = event.target instanceof Element ? event.target.closest('[data-line]') : null;
    if (link === null || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    props.onMark(clickLine(marked, Number(link.getAttribute('data-line')), event.shiftKey));
  };

  const { tabStop, onFocus, onKeyDown } = useLineLinks(scroller, view, current ?? marked?.from ?? null);

  return (
    <div className={classes.stage}>
      <div className={classes.notice} role="status">
        {props.notice === undefined || props.notice === null ? null : <span>{props.notice}</span>}
      </div>
      <section
        ref={scroller}
        className={classes.scroller}
        role="log"
        aria-live="off"
        aria-label={`${props.label}, ${plural(buffer.total, 'line')}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it
        tabIndex={0}
        onScroll={view.onScroll}
        onWheel={(event) => view.onWheel(event.deltaY)}
        onClick={onClick}
        onFocus={onFocus}
        onKeyDown={onKeyDown}
        data-wrap={wrap || undefined}
        // The router puts scroll positions back by this name; a new line to show must not be undone by it.
        data-scroll-restoration-id={`log-${marked === null ? 'all' : lineHash(marked)}`}
        style={{ '--digits': digits } as CSSProperties}
      >
        <Sizer ref={sizer} showTime={showTime} />
        {buffer.total === 0 ? <div className={classes.empty}>{props.empty}</div> : null}
        <div
          className={classes.canvas}
          style={{
            height: buffer.total === 0 ? 0 : view.height,
            minWidth: wrap ? undefined : `calc(${Math.min(buffer.widest, DRAWN_CELLS)}ch + ${size.gutter + 24}px)`,
          }}
        >
          <div className={classes.lines} style={{ transform: `translateY(${view.top}px)` }}>
            {view.items.map(({ n, rows, missing }) => (
              <LogRow
                key={n}
                n={n}
                rows={rows}
                text={missing ? undefined : buffer.text(n)}
                stream={buffer.stream(n)}
                at={showTime ? buffer.at(n) : null}
                query={query}
                isCurrent={n === current}
                isMarked={marked !== null && n >= marked.from && n <= marked.to}
                isTabStop={n === tabStop}
              />
            ))}
          </div>
        </div>
      </section>
      {view.isFollowing || buffer.total === 0 ? null : (
        <div className={classes.back}>
          <Button
            size="compact-sm"
            variant="default"
            radius="xl"
            leftSection={<IconArrowDown size={14} />}
            onClick={view.follow}
          >
            {view.newLines > 0 ? plural(view.newLines, 'new line') : props.isLive ? 'Follow' : 'To the end'}
          </Button>
        </div>
      )}
    </div>
  );
}

const RULER = '0'.repeat(100);

/** A row that nobody sees: how wide is a column, how much room has the text? */
function Sizer({ ref, showTime }: { ref: Ref<HTMLDivElement>; showTime: boolean }) {
  return (
    <div ref={ref} className={classes.sizer} aria-hidden>
      <div className={classes.row}>
        <span className={classes.number} />
        {showTime ? <span className={classes.time} /> : null}
        <span className={classes.mark} />
        <span className={classes.text} />
      </div>
      <span>{RULER}</span>
    </div>
  );
}

interface Size {
  readonly height: number;
  readonly columns: number;
  readonly gutter: number;
}

function useSize(
  scroller: { current: HTMLElement | null },
  sizer: { current: HTMLElement | null },
  digits: number,
  showTime: boolean,
): Size {
  const [size, setSize] = useState<Size>({ height: 600, columns: 120, gutter: 80 });
  // biome-ignore lint/correctness/useExhaustiveDependencies: digits and times change the room for text, so they measure anew
  useLayoutEffect(() => {
    const frame = scroller.current;
    const probe = sizer.current;
    const text = probe?.querySelector(`.${classes.text}`);
    const ruler = probe?.lastElementChild;
    if (!frame || !probe || !text || !ruler) return;
    const measure = () => {
      const column = ruler.getBoundingClientRect().width / RULER.length;
      const box = text.getBoundingClientRect();
      if (frame.clientHeight === 0 || column === 0) return;
      const next = {
        height: frame.clientHeight,
        columns: Math.max(10, Math.floor((box.width + 0.01) / column)),
        gutter: Math.round(box.left - probe.getBoundingClientRect().left),
      };
      setSize((old) =>
        old.height === next.height && old.columns === next.columns && old.gutter === next.gutter ? old : next,
      );
    };
    const observer = new ResizeObserver(measure);
    observer.observe(frame);
    observer.observe(ruler);
    observer.observe(text);
    measure();
    return () => observer.disconnect();
  }, [scroller, sizer, digits, showTime]);
  return size;
}

function useLayout(buffer: LogBuffer): LogLayout {
  const [made, setMade] = useState(() => ({ buffer, layout: new LogLayout(buffer) }));
  if (made.buffer === buffer) return made.layout;
  const next = { buffer, layout: new LogLayout(buffer) };
  setMade(next);
  return next.layout;
}

/** A line that is linked to is shown as soon as the log is known to have it. */
function useMarkedAtStart(buffer: LogBuffer, view: LogViewport, marked: LineRange | null): void {
  const shown = useRef<number | null>(null);
  const from = marked?.from ?? null;
  useEffect(() => {
    if (from === null || shown.current === from || buffer.total < from) return;
    shown.current = from;
    view.jumpTo(from);
  });
}

/** Asks for lines that are looked at and not loaded. */
function useMissing(view: LogViewport, need: ((from: number, to: number) => void) | undefined): void {
  const missing = view.items.filter((item) => item.missing);
  const from = missing[0]?.n;
  const to = missing.at(-1)?.n;
  useEffect(() => {
    if (from !== undefined && to !== undefined) need?.(from, to);
  }, [from, to, need]);
}

/** Where fonts decide how wide a character is, the rows of a wrapped line are counted after it was drawn. */
function useMeasured(
  scroller: { current: HTMLElement | null },
  buffer: LogBuffer,
  layout: LogLayout,
  wrap: boolean,
  again: () => void,
): void {
  useLayoutEffect(() => {
    if (!wrap) return;
    let isNews = false;
    for (const row of scroller.current?.querySelectorAll<HTMLElement>('[data-n]') ?? []) {
      const n = Number(row.dataset.n);
      if (isNarrow(buffer.text(n) ?? '')) continue;
      const rows = Math.max(1, Math.round(row.offsetHeight / ROW));
      if (String(rows) !== row.dataset.rows && layout.measure(n, rows)) isNews = true;
    }
    if (isNews) again();
  });
}
