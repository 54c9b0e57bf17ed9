import { relativeTime } from '@hangar/contract/words/time';
import { Tooltip } from '@mantine/core';
import { createContext, type ReactNode, useContext, useSyncExternalStore } from 'react';

/** One clock for all times of a page: ticks each second while anybody looks at it. */
export interface Clock {
  readonly subscribe: (listener: () => void) => () => void;
  readonly now: () => number;
}

export function createClock(): Clock {
  const listeners = new Set<() => void>();
  let now = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const tick = () => {
    now = Date.now();
    for (const listener of listeners) listener();
  };
  return {
    now: () => now,
    subscribe(listener) {
      if (listeners.size === 0) {
        now = Date.now();
        timer = setInterval(tick, 1000);
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearInterval(timer);
      };
    },
  };
}

/** A clock that stands still, for the gallery. */
export const stoppedClock = (at: string): Clock => ({
  subscribe: () => () => {},
  now: () => new Date(at).getTime(),
});

const ClockContext = createContext<Clock | null>(null);

export function ClockProvider({ clock, children }: { clock: Clock; children: ReactNode }) {
  return <ClockContext value={clock}>{children}</ClockContext>;
}

/** Milliseconds since the epoch; renders again when `step` milliseconds have passed (1000 when left out). */
export function useNow(step = 1000): number {
  const clock = useContext(ClockContext);
  if (!clock) throw new Error('useNow needs a ClockProvider above it');
  const rounded = useSyncExternalStore(clock.subscribe, () => Math.floor(clock.now() / step) * step);
  return step === 1000 ? rounded : Math.max(rounded, clock.now());
}

/** Relative, the absolute on hover. */
export function Time({ at }: { at: string }) {
  const clock = useContext(ClockContext);
  if (!clock) throw new Error('Time needs a ClockProvider above it');
  const text = useSyncExternalStore(clock.subscribe, () => relativeTime(at, clock.now()));
  return (
    <Tooltip label={absoluteTime(at)}>
      <time dateTime={at}>{text}</time>
    </Tooltip>
  );
}

/** The whole time with its zone, as shown on hover. */
export function absoluteTime(at: string | Date): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? '' : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'long' });
}

/** `14:02:11` */
export const clockTime = (at: string | Date): string => new Date(at).toLocaleTimeString(undefined, { hour12: false });
