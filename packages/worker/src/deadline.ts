/**
 * A signal that aborts with any of the given ones or after `ms`. `done` takes its listeners off again: AbortSignal.any would
 * leave an entry on the long-lived signals for every call.
 */
export function within(
  signals: readonly AbortSignal[],
  ms: number,
  late: () => Error = () => new Error('Took too long'),
): { readonly signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  const offs = signals.map((signal) => {
    const abort = () => controller.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    return () => signal.removeEventListener('abort', abort);
  });
  // A longer timer would fire at once.
  const timer = ms < 2 ** 31 ? setTimeout(() => controller.abort(late()), ms) : null;
  return {
    signal: controller.signal,
    done: () => {
      if (timer) clearTimeout(timer);
      for (const off of offs) off();
    },
  };
}

/** What the promise gives, or the signal's reason once it aborts. */
export function inTime<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(signal.reason);
    if (signal.aborted) late();
    signal.addEventListener('abort', late, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', late));
  });
}
