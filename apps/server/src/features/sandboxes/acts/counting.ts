import type { Offsets } from '@hangar/sandbox';

/** So often at most is it written how much of the output is kept. */
const COUNT_MS = 1_000;

/** Counts what is kept of the output of an execution while that prints. */
export interface Counting {
  /** It has printed: it is counted a moment later, once for all that comes until then. */
  printed(): void;
  stop(): void;
}

export function createCounting(o: {
  readonly kept: () => Promise<Offsets>;
  readonly count: (kept: Offsets) => Promise<void>;
}): Counting {
  let timer: NodeJS.Timeout | undefined;
  return {
    printed() {
      // What cannot be counted now is with what is printed next, or at the end.
      timer ??= setTimeout(() => {
        timer = undefined;
        o.kept()
          .then(o.count)
          .catch(() => undefined);
      }, COUNT_MS);
    },
    stop: () => clearTimeout(timer),
  };
}
