/** What a timer can count: a longer one would ring at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Calls `act` after `ms`, which may be any number of days: a timeout of a job may be thirty. @returns takes it back */
export function afterMs(ms: number, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (left: number) => {
    const step = Math.min(left, LONGEST_MS);
    timer = setTimeout(() => (left > step ? wait(left - step) : act()), step);
  };
  wait(ms);
  return () => clearTimeout(timer);
}
