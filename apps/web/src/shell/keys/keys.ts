import { useEffect, useRef } from 'react';
import { habits } from '../../components/habits.ts';
import { PLACES } from '../places.ts';

export interface KeyActions {
  onPalette: () => void;
  onHelp: () => void;
  onGo: (key: string) => void;
  onNew: () => void;
}

/** The keys that work everywhere, for the help. */
export const KEYS: readonly { keys: readonly string[]; what: string; always?: boolean }[] = [
  { keys: ['Ctrl K'], what: 'Go to anything, do anything', always: true },
  { keys: ['F8'], what: 'To the notices', always: true },
  { keys: ['Ctrl Shift L'], what: 'Out of a terminal', always: true },
  { keys: ['/'], what: 'Search in this page' },
  { keys: ['j', 'k'], what: 'Next and previous row' },
  { keys: ['Enter'], what: 'Open the row', always: true },
  { keys: ['n'], what: 'New job' },
  ...PLACES.filter(({ here }) => here).map(({ key, label }) => ({
    keys: ['g', key],
    what: `Go to ${label.toLowerCase()}`,
  })),
  { keys: ['?'], what: 'These keys' },
  { keys: ['Esc'], what: 'Close', always: true },
];

const GO_WITHIN_MS = 1200;

/** Listens on the whole page; quiet while somebody types or a dialog is open. */
export function usePageKeys(actions: KeyActions): void {
  const latest = useRef(actions);
  useEffect(() => {
    latest.current = actions;
  });
  useEffect(() => {
    let goUntil = 0;
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        latest.current.onPalette();
        return;
      }
      if (!habits().singleKeys) return;
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector('[role="dialog"][aria-modal="true"]')) return;
      if (event.timeStamp < goUntil) {
        goUntil = 0;
        event.preventDefault();
        latest.current.onGo(event.key);
        return;
      }
      switch (event.key) {
        case 'g':
          goUntil = event.timeStamp + GO_WITHIN_MS;
          return;
        case 'j':
        case 'k':
          if (moveRow(event.key === 'j' ? 1 : -1)) event.preventDefault();
          return;
        case '/':
          event.preventDefault();
          if (!focusSearch()) latest.current.onPalette();
          return;
        case '?':
          event.preventDefault();
          latest.current.onHelp();
          return;
        case 'n':
          event.preventDefault();
          latest.current.onNew();
          return;
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

/** Inputs that take no text: nobody types into a switch. */
const NO_TEXT = new Set(['checkbox', 'radio', 'button', 'submit', 'reset', 'file', 'color', 'image']);

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !NO_TEXT.has(target.type);
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Rows are links marked `data-row-link`. */
function moveRow(by: 1 | -1): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row-link]')];
  if (rows.length === 0) return false;
  const at = rows.findIndex((row) => row.matches(':focus'));
  const next = at === -1 ? (by === 1 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
  rows[next]?.focus();
  rows[next]?.scrollIntoView({ block: 'nearest' });
  return true;
}

/** The search field of the page, marked `data-search`. */
function focusSearch(): boolean {
  const field = document.querySelector<HTMLInputElement>('input[data-search]');
  field?.focus();
  field?.select();
  return field !== null;
}
