import { HangarError } from '@hangar/contract';

/** What the work answers, or the reason of the signal as soon as it aborts: whoever waits is let go, even when the work is stuck. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The same signal, and over after so many milliseconds. */
export const within = (signal: AbortSignal, ms: number): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout(ms)]);

/** A deadline was over, or whoever carried a call gave it up: nothing is known of what became of it. An error of the table says itself what it means. */
export function isCut(error: unknown): boolean {
  for (let at = error; at instanceof Error && !(at instanceof HangarError); at = at.cause)
    if (at.name === 'TimeoutError' || at.name === 'AbortError') return true;
  return false;
}
