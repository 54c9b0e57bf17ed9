import { createParser } from 'eventsource-parser';
import type { BackOff } from './back-off.ts';
import type { StreamEvent } from './frame.ts';

/** A stream that stands. */
export interface StreamBody {
  /** Fails when the connection breaks. */
  readonly body: AsyncIterable<Uint8Array>;
  /** When it aborts, the stream is left between two frames, and connected again at once: that is no break. */
  readonly leave?: AbortSignal | undefined;
  /** Called once, however it ends. */
  close(): void;
}

/** Opens the stream behind the frame with this id, or throws why it cannot. */
export type ConnectStream = (lastEventId: string | null, signal: AbortSignal) => Promise<StreamBody>;

export interface StreamOptions {
  readonly connect: ConnectStream;
  readonly signal: AbortSignal;
  readonly backOff: BackOff;
  /** Id of the last frame that is here. */
  readonly after?: string | null;
  /** The server says at least each 15 s that it is alive; longer silence is a loss that no error tells of. */
  readonly silenceMs?: number;
  readonly onOpen?: () => void;
}

/**
 * The frames of a stream as they come, without signs of life: after each break it goes on behind the last one. A stream has no
 * end of its own: whoever finds in a frame that it is over stops reading.
 * @throws what the back-off does not wait out, and the reason of the signal
 */
export async function* readStream(o: StreamOptions): AsyncGenerator<readonly StreamEvent[], never> {
  const place = { id: o.after ?? null };
  for (;;) {
    try {
      yield* readOnce(o, place);
    } catch (error) {
      await o.backOff.again(error);
    }
  }
}

/** Ends where the stream was to be left. */
async function* readOnce(o: StreamOptions, place: { id: string | null }): AsyncGenerator<readonly StreamEvent[], void> {
  const { connect, signal, backOff, silenceMs } = o;
  const over = new AbortController();
  const { body, leave, close } = await connect(place.id, AbortSignal.any([signal, over.signal]));
  const settled = backOff.opened();
  const frames: StreamEvent[] = [];
  const parser = createParser({
    onId(told) {
      const id = told === '' ? null : told;
      if (id !== place.id) backOff.progress();
      place.id = id;
    },
    onEvent({ event = 'message', data }) {
      if (event !== 'alive') frames.push({ event, data, id: place.id });
    },
  });
  const decoder = new TextDecoder();
  /** The end of what came, as much as tells whether a frame is cut. */
  let tail = '';
  const isBetween = () => tail === '' || /(\n\n|\r\r|\r\n\r\n)$/.test(tail);
  const leaveBetween = () => {
    if (isBetween()) over.abort();
  };
  leave?.addEventListener('abort', leaveBetween);
  let silence: ReturnType<typeof setTimeout> | undefined;
  try {
    o.onOpen?.();
    const pieces = body[Symbol.asyncIterator]();
    for (;;) {
      if (leave?.aborted && isBetween()) return;
      if (silenceMs !== undefined) silence = setTimeout(() => over.abort(), silenceMs);
      const piece = await pieces.next();
      clearTimeout(silence);
      signal.throwIfAborted();
      if (piece.done) throw new Error('the server closed the connection');
      const text = decoder.decode(piece.value, { stream: true });
      tail = (tail + text).slice(-4);
      parser.feed(text);
      if (frames.length > 0) yield frames.splice(0);
    }
  } catch (error) {
    if (!leave?.aborted || signal.aborted) throw error;
  } finally {
    clearTimeout(silence);
    leave?.removeEventListener('abort', leaveBetween);
    settled();
    over.abort();
    close();
  }
}
