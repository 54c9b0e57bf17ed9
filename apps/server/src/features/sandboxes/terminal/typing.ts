import { TERMINAL_FRAME_MOST, TERMINAL_INPUT_MOST } from '@hangar/contract';
import type { InputChannel } from '@hangar/sandbox';

const JOINED = 1024;

/** What one writer has typed and the machine has not taken yet. */
export interface Typing {
  /** False: more than may wait. */
  add(bytes: Uint8Array): boolean;
  /** Goes on over this channel, which knows what is in. What comes before `leave` is called goes over it. */
  over(channel: InputChannel): void;
  leave(): void;
}

/**
 * @param o.taken says how many bytes of the writer are in
 * @param o.broke why a channel takes nothing any more
 */
export function createTyping(o: {
  readonly taken: (bytes: number) => void;
  readonly broke: (error: unknown) => void;
}): Typing {
  /** In frames as they came, small ones joined: what is in one stays together. */
  const waiting: Uint8Array[] = [];
  let bytes = 0;
  let taken: number | null = null;
  let channel: InputChannel | null = null;
  let writing = false;

  function settle(total: number): void {
    let more = taken === null ? 0 : total - taken;
    let whole = 0;
    for (const frame of waiting) {
      if (frame.length > more) break;
      more -= frame.length;
      bytes -= frame.length;
      whole += 1;
    }
    waiting.splice(0, whole);
    const [first] = waiting;
    if (more > 0 && first !== undefined) {
      waiting[0] = first.subarray(more);
      bytes -= more;
    }
    const isNews = taken !== null && taken !== total;
    taken = total;
    if (isNews) o.taken(total);
  }

  /** All that has come while the piece before was on its way goes together, as much as one piece takes. */
  function next(): Uint8Array {
    let length = 0;
    let count = 0;
    for (const frame of waiting) {
      if (count > 0 && length + frame.length > TERMINAL_FRAME_MOST) break;
      length += frame.length;
      count += 1;
    }
    return count === 1 ? (waiting[0] ?? new Uint8Array()) : Buffer.concat(waiting.slice(0, count));
  }

  async function write(): Promise<void> {
    if (writing) return;
    writing = true;
    const through = channel;
    try {
      while (through !== null && channel === through && waiting.length > 0) {
        const total = await through.write(next());
        if (channel === through) settle(total);
      }
    } catch (error) {
      if (channel === through) {
        channel = null;
        o.broke(error);
      }
    } finally {
      writing = false;
      if (channel !== null && channel !== through) void write();
    }
  }

  return {
    add(frame) {
      if (frame.length === 0) return true;
      if (bytes + frame.length > TERMINAL_INPUT_MOST) return false;
      const last = waiting.at(-1);
      // Many keys are few frames, however they came.
      if (last !== undefined && last.length + frame.length <= JOINED)
        waiting[waiting.length - 1] = Buffer.concat([last, frame]);
      else waiting.push(frame);
      bytes += frame.length;
      void write();
      return true;
    },
    over(next) {
      channel = next;
      settle(next.taken);
      void write();
    },
    leave() {
      channel?.close();
      channel = null;
    },
  };
}
