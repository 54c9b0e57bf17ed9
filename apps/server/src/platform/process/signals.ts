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

/** Sends a signal to a process, or with a negative number to a group. False when nobody with this number is left. */
export function signalTo(pid: number, signal: NodeJS.Signals): boolean {
  // 0 and -1 mean "my own group" and "everybody"; neither is ever meant here.
  if (!Number.isInteger(pid) || pid === 0 || pid === -1) return false;
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
