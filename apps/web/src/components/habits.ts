import { useSyncExternalStore } from 'react';

/** How this person likes to work with the pages, kept in the browser. */
export interface Habits {
  /** Single keys do something: `j`, `n`, `g j`. Who speaks to a computer, or hits keys unasked, turns them off. */
  readonly singleKeys: boolean;
  /** Notices stay until they are dismissed. */
  readonly noticesStay: boolean;
  /** What terminals print stands in the page as text as well, for screen readers. */
  readonly readsTerminals: boolean;
}

const KEY = 'hangar.habits';
const FIRST: Habits = { singleKeys: true, noticesStay: false, readsTerminals: false };

const listeners = new Set<() => void>();
let current: Habits | null = null;

export function habits(): Habits {
  current ??= read();
  return current;
}

export function setHabits(next: Habits): void {
  current = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // Storage may be off or full: then it holds for this page.
  }
  for (const listener of listeners) listener();
}

export const useHabits = (): Habits => useSyncExternalStore(subscribe, habits);

function subscribe(listener: () => void): () => void {
  // Another tab has changed them.
  const onStorage = (event: StorageEvent) => {
    if (event.key !== KEY) return;
    current = read();
    listener();
  };
  listeners.add(listener);
  addEventListener('storage', onStorage);
  return () => {
    listeners.delete(listener);
    removeEventListener('storage', onStorage);
  };
}

function read(): Habits {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? 'null');
    if (typeof kept !== 'object' || kept === null) return FIRST;
    return {
      singleKeys: 'singleKeys' in kept ? kept.singleKeys !== false : FIRST.singleKeys,
      noticesStay: 'noticesStay' in kept ? kept.noticesStay === true : FIRST.noticesStay,
      readsTerminals: 'readsTerminals' in kept ? kept.readsTerminals === true : FIRST.readsTerminals,
    };
  } catch {
    return FIRST;
  }
}
