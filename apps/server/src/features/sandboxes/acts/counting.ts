import type { Offsets } from '@hangar/sandbox';

/** So often at most is it written how much of the output is kept. */
const COUNT_MS = 1_000;

/** Counts what is kept of the output of an execution while that prints. */
export interface Counting {
  /** It has printed: what is kept then is counted a moment later, once for all that comes until then. */
  printed(kept: () => Offsets): void;
  stop(): void;
}

export function createCounting(count: (kept: Offsets) => Promise<void>): Counting {
  let timer: NodeJS.Timeout | undefined;
  let latest: () => Offsets;
  return {
    printed(kept) {
      latest = kept;
      // What cannot be counted now is with what is printed next, or at the end. One at a time: its timer stands until it is written.
      timer ??= setTimeout(() => {
        count(latest())
          .catch(() => undefined)
          .finally(() => {
            timer = undefined;
          });
      }, COUNT_MS);
    },
    stop: () => clearTimeout(timer),
  };
}
