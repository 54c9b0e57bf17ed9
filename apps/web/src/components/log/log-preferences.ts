import { useState } from 'react';

export interface LogPreferences {
  /** Long lines are broken instead of scrolled sideways. */
  readonly wrap: boolean;
  /** The column of times is shown. */
  readonly time: boolean;
}

const KEY = 'hangar.log';

/** How this person likes logs, kept in the browser; every log on every page takes it from here. */
export function useLogPreferences(): [LogPreferences, (next: LogPreferences) => void] {
  const [preferences, setPreferences] = useState(read);
  return [
    preferences,
    (next) => {
      setPreferences(next);
      try {
        localStorage.setItem(KEY, JSON.stringify(next));
      } catch {
        // Storage may be off or full: then it holds for this page.
      }
    },
  ];
}

function read(): LogPreferences {
  const preferences = { wrap: matchMedia('(max-width: 640px)').matches, time: false };
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? 'null');
    if (typeof kept !== 'object' || kept === null) return preferences;
    if ('wrap' in kept && typeof kept.wrap === 'boolean') preferences.wrap = kept.wrap;
    if ('time' in kept && typeof kept.time === 'boolean') preferences.time = kept.time;
  } catch {
    // Not ours, or not readable: begin anew.
  }
  return preferences;
}
