import { type RefObject, useCallback, useLayoutEffect, useReducer, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import type { LogBuffer } from './log-buffer.ts';
import type { LogItem, LogLayout } from './log-layout.ts';

/** Height of one row in pixels; the same in log.module.css. */
export const ROW = 20;
/** Browsers draw nothing beyond some 17 million pixels: a longer log is scrolled in proportion. */
const MAX_PX = 15_000_000;
const PADDING = 8;
const OVERSCAN = 24;

export interface LogViewport {
  readonly items: readonly LogItem[];
  /** Height of what is scrolled, in pixels. */
  readonly height: number;
  /** Where the first item stands, in pixels from the top of what is scrolled. */
  readonly top: number;
  readonly isFollowing: boolean;
  /** Lines that came since the reader scrolled up. */
  readonly newLines: number;
  readonly onScroll: () => void;
  readonly onWheel: (deltaY: number) => void;
  /** Puts a line a third from the top, or leaves it where it is when it can be seen already. */
  readonly jumpTo: (n: number) => void;
  readonly toStart: () => void;
  readonly follow: () => void;
  readonly unfollow: () => void;
  /** The first line that can be seen. */
  readonly firstSeen: () => number;
}

/**
 * The part of a log that is drawn. What holds the place is a line (the anchor), not a number of pixels: lines that arrive,
 * load, or wrap anew above it move the scroll position along, and the reader sees nothing jump.
 */
export function useLogViewport(
  scroller: RefObject<HTMLElement | null>,
  buffer: LogBuffer,
  layout: LogLayout,
  viewHeight: number,
): LogViewport {
  const [isFollowing, setFollowing] = useState(true);
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const place = useRef({
    anchor: { n: 1, dy: 0 },
    /** Pixels from the top at which the anchor stood when it was set. */
    at: 0,
    lastTop: 0,
    following: true,
    seen: 0,
    drawnFrom: 0,
    drawnTo: 0,
    ignoreTop: -1,
  }).current;

  const total = layout.totalRows * ROW + PADDING * 2;
  const height = Math.min(total, MAX_PX);
  const isScaled = total > MAX_PX;
  const range = Math.max(0, total - viewHeight);
  const scrollRange = Math.max(1, height - viewHeight);
  const toScroll = (v: number): number => (isScaled ? (v / Math.max(1, range)) * scrollRange : v);
  const fromScroll = (top: number): number => (isScaled ? (top / scrollRange) * range : top);
  const anchored = (): number => clamp(layout.rowOf(place.anchor.n) * ROW + place.anchor.dy, 0, range);

  const v = isFollowing ? range : anchored();
  const firstRow = Math.floor((v - PADDING) / ROW);
  const rows = Math.ceil(viewHeight / ROW);
  const from = Math.max(0, firstRow - OVERSCAN);
  const to = Math.min(layout.totalRows, firstRow + rows + OVERSCAN);
  const items = layout.items(from, to);
  const top = PADDING + (items[0]?.row ?? 0) * ROW - v + toScroll(v);

  const setAnchor = (px: number): void => {
    const row = Math.max(0, Math.floor((px - PADDING) / ROW));
    const item = layout.items(row, row + 1)[0];
    const n = item?.n ?? buffer.total;
    place.anchor = { n, dy: px - layout.rowOf(n) * ROW };
    place.at = px;
    buffer.focus = n;
  };

  const setFollow = (next: boolean): void => {
    if (place.following === next) return;
    place.following = next;
    if (!next) place.seen = buffer.total;
    setFollowing(next);
  };

  useLayoutEffect(() => {
    place.drawnFrom = from;
    place.drawnTo = to;
    const element = scroller.current;
    if (element === null) return;
    if (place.following) {
      setAnchor(range);
      if (Math.abs(element.scrollTop - toScroll(range)) > 1) element.scrollTop = height;
      place.lastTop = element.scrollTop;
      return;
    }
    const now = anchored();
    // Setting the position while somebody scrolls would stutter: only when the anchor has really moved.
    if (isScaled ? Math.abs(toScroll(now) - element.scrollTop) > 1 : now !== place.at) {
      element.scrollTop = isScaled ? toScroll(now) : element.scrollTop + now - place.at;
      place.at = now;
      place.lastTop = element.scrollTop;
      place.ignoreTop = element.scrollTop;
    }
  });

  const onScroll = (): void => {
    const element = scroller.current;
    if (element === null) return;
    const now = element.scrollTop;
    const isAtEnd = element.scrollHeight - element.clientHeight - now <= 2;
    const isOwn = now === place.ignoreTop;
    if (!isOwn) {
      place.ignoreTop = -1;
      if (place.following && now < place.lastTop && !isAtEnd) {
        setAnchor(fromScroll(now));
        setFollow(false);
      } else if (!place.following && isAtEnd && now > place.lastTop) setFollow(true);
    }
    place.lastTop = now;
    if (place.following) return;
    if (!isOwn) setAnchor(fromScroll(now));
    const row = Math.floor((fromScroll(now) - PADDING) / ROW);
    const above = place.drawnFrom === 0 ? OVERSCAN : row - place.drawnFrom;
    const below = place.drawnTo >= layout.totalRows ? OVERSCAN : place.drawnTo - row - rows;
    // A long jump is drawn before this frame is painted; a short one has the overscan to live on.
    if (isScaled || Math.min(above, below) < 0) flushSync(draw);
    else if (Math.min(above, below) < OVERSCAN / 3) draw();
  };

  const goTo = (px: number): void => {
    const element = scroller.current;
    if (element === null) return;
    const target = clamp(px, 0, range);
    setAnchor(target);
    setFollow(false);
    element.scrollTop = toScroll(target);
    place.lastTop = element.scrollTop;
    place.ignoreTop = element.scrollTop;
    draw();
  };

  return {
    items,
    height,
    top,
    isFollowing,
    newLines: isFollowing ? 0 : Math.max(0, buffer.total - place.seen),
    onScroll,
    onWheel: (deltaY) => {
      if (deltaY < 0 && range > 0) setFollow(false);
    },
    jumpTo: (n) => {
      const row = layout.rowOf(n);
      const seenFrom = (fromScroll(scroller.current?.scrollTop ?? 0) - PADDING) / ROW;
      const isSeen = row >= seenFrom && row < seenFrom + rows - 2;
      if (isSeen) setFollow(false);
      else goTo(PADDING + row * ROW - Math.floor(viewHeight / 3 / ROW) * ROW);
    },
    toStart: () => goTo(0),
    follow: useCallback(() => {
      place.following = true;
      setFollowing(true);
    }, [place]),
    unfollow: () => setFollow(false),
    firstSeen: () =>
      place.following ? (layout.items(Math.max(0, firstRow), firstRow + 1)[0]?.n ?? 1) : place.anchor.n,
  };
}

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
