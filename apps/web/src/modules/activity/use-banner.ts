import type { Activity } from '@hangar/contract';
import { useEffect, useState } from 'react';

/** How long a success stays. */
export const SUCCESS_SHOWN_MS = 10_000;

export interface Banner {
  activity: Activity;
  more: number;
  dismiss: () => void;
}

/**
 * Which activity the banner shows: the newest that runs, else the last that ended while this page was open.
 * A success goes by itself after ten seconds; a failure stays until it is dismissed.
 */
export function useBanner(current: readonly Activity[], recent: readonly Activity[]): Banner | null {
  const [watched, setWatched] = useState<string | null>(null);
  const [dismissed, setDismissed] = useState<ReadonlySet<string>>(() => new Set());
  const running = current.filter((activity) => !dismissed.has(activity.id));
  const newest = running.reduce<Activity | undefined>(
    (found, activity) => (found === undefined || activity.startedAt > found.startedAt ? activity : found),
    undefined,
  );
  const ended = recent.find((activity) => activity.id === watched && !dismissed.has(activity.id));
  const shown = newest ?? ended;

  const newestId = newest?.id;
  useEffect(() => {
    if (newestId !== undefined) setWatched(newestId);
  }, [newestId]);

  const done = shown?.status === 'completed' ? shown.id : undefined;
  useEffect(() => {
    if (done === undefined) return;
    const timer = setTimeout(() => setDismissed((old) => new Set(old).add(done)), SUCCESS_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [done]);

  if (!shown) return null;
  return {
    activity: shown,
    more: Math.max(0, running.length - (shown === newest ? 1 : 0)),
    dismiss: () => setDismissed((old) => new Set(old).add(shown.id)),
  };
}
