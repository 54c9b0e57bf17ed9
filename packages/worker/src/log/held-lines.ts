import type { JobLog } from './job-log.ts';

/** A line that ends as a secret begins waits so long for the next one. */
const HELD_MS = 1000;

type Output = 'stdout' | 'stderr';
interface Holding {
  readonly holds: boolean;
  release(): string[];
}

/** Lets lines go to the log that a reader holds, when what they wait for does not come. */
export function heldLines(log: JobLog, readers: Readonly<Record<Output, Holding>>) {
  const timers = new Map<Output, NodeJS.Timeout>();
  return {
    look(stream: Output): void {
      clearTimeout(timers.get(stream));
      if (readers[stream].holds)
        timers.set(
          stream,
          setTimeout(() => void log.add(stream, readers[stream].release()), HELD_MS),
        );
    },
    done(): void {
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}
