/** How often a machine with open channels is asked whether it is there: a dead link says nothing by itself for minutes. */
const WATCH_MS = 6_000;
/** For each answer: with two that did not come, and the question why, less than 30 s. */
const ANSWER_MS = 7_000;
const AGAIN_MS = 1_000;

/**
 * Asks again and again for as long as it is needed.
 * @returns begins, unless it has
 */
export function createWatch(o: {
  readonly everyMs?: number | undefined;
  readonly isNeeded: () => boolean;
  readonly isThere: (call: { readonly requestTimeoutMs: number }) => Promise<boolean>;
  /** Told why, and how long it may take to prove more. */
  readonly lost: (error: unknown, requestTimeoutMs: number) => Promise<void>;
}): () => void {
  const { everyMs = WATCH_MS } = o;
  const requestTimeoutMs = Math.min(ANSWER_MS, everyMs);
  let timer: NodeJS.Timeout | undefined;
  let misses = 0;
  function next(ms: number): void {
    timer = setTimeout(() => void look(), ms);
    timer.unref();
  }
  async function look(): Promise<void> {
    const answer = await o.isThere({ requestTimeoutMs }).catch((error: unknown) => error);
    if (!o.isNeeded()) {
      timer = undefined;
      return;
    }
    misses = answer === true ? 0 : misses + 1;
    // Once may be chance, on both sides of it.
    if (misses >= 2) await o.lost(answer === false ? new Error('it does not answer') : answer, requestTimeoutMs);
    next(misses === 1 ? AGAIN_MS : everyMs);
  }
  return () => {
    if (timer !== undefined || !o.isNeeded()) return;
    misses = 0;
    next(everyMs);
  };
}
