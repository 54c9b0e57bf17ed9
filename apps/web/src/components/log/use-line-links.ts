import { type FocusEvent, type KeyboardEvent, useState } from 'react';
import type { LogViewport } from './use-log-viewport.ts';

/** Tab leads to the link of one line, arrow keys lead on from it: a link for each of 200,000 lines would be no way through. */
export function useLineLinks(scroller: { current: HTMLElement | null }, view: LogViewport, preferred: number | null) {
  const [focused, setFocused] = useState<number | null>(null);
  const isDrawn = (line: number | null) => line !== null && view.items.some(({ n }) => n === line);
  const tabStop = [focused, preferred].find(isDrawn) ?? view.firstSeen();
  const lineOf = (target: EventTarget) =>
    target instanceof HTMLElement && target.dataset.line !== undefined ? Number(target.dataset.line) : null;
  return {
    tabStop,
    onFocus: (event: FocusEvent<HTMLElement>) => {
      const line = lineOf(event.target);
      if (line === null) return;
      setFocused(line);
      // New lines would carry it out of sight.
      view.unfollow();
    },
    onKeyDown: (event: KeyboardEvent<HTMLElement>) => {
      const line = lineOf(event.target);
      if (line === null || (event.key !== 'ArrowDown' && event.key !== 'ArrowUp')) return;
      const at = view.items.findIndex(({ n }) => n === line) + (event.key === 'ArrowDown' ? 1 : -1);
      const next = view.items[at]?.n;
      if (next === undefined) return;
      event.preventDefault();
      scroller.current?.querySelector<HTMLElement>(`[data-line="${next}"]`)?.focus();
    },
  };
}
