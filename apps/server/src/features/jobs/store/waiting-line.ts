import { setTimeout as sleep } from 'node:timers/promises';
import { orAborted } from '../../../platform/waits.ts';

interface Line {
  readonly ids: string[];
  /** Resolves when somebody may have made room, or left the line. */
  moved: PromiseWithResolvers<void>;
}

/** Others of the same name may be at another server, which nobody here hears of. */
const LOOK_MS = 200;

/** Those who wait for a place, in a line for each name. Only who stands first asks for it, whoever else waits behind. */
export function createWaitingLines() {
  const lines = new Map<string, Line>();

  function move(name: string): void {
    const line = lines.get(name);
    if (!line) return;
    line.moved.resolve();
    line.moved = Promise.withResolvers();
    if (line.ids.length === 0) lines.delete(name);
  }

  return {
    /** A place of this name may be free. */
    move,
    /** Answers when `enter` did with true. @throws the reason of the signal */
    async wait(name: string, id: string, enter: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
      const line = lines.get(name) ?? { ids: [], moved: Promise.withResolvers() };
      lines.set(name, line);
      line.ids.push(id);
      try {
        for (;;) {
          signal.throwIfAborted();
          const moved = line.moved.promise;
          const isFirst = line.ids[0] === id;
          if (isFirst && (await enter())) return;
          await orAborted(isFirst ? Promise.race([moved, sleep(LOOK_MS)]) : moved, signal);
        }
      } finally {
        line.ids.splice(line.ids.indexOf(id), 1);
        move(name);
      }
    },
  };
}
