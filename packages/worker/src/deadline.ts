import { afterMs } from '@hangar/contract';

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
  const off = Number.isFinite(ms) ? afterMs(ms, () => controller.abort(late())) : null;
  return {
    signal: controller.signal,
    done: () => {
      off?.();
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

/** Aborts `ms` after `signal` has, and not before `ms` from now. */
export function later(signal: AbortSignal, ms: number): { readonly signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  let off = () => {};
  const begin = () => {
    off = afterMs(ms, () => controller.abort(signal.reason));
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return {
    signal: controller.signal,
    done: () => {
      signal.removeEventListener('abort', begin);
      off();
    },
  };
}

/** Like Promise.all, which leaves the others at work when one fails: here none goes on in a folder that is cleared away then. */
export async function allEnded<T extends readonly unknown[] | []>(
  works: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(works);
  return Promise.all(works);
}
