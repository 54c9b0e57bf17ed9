import { Readable } from 'node:stream';

/** How often in a row a download that brings nothing is begun again. */
const BREAKS_MOST = 4;
const PAUSE_MS = 200;

/**
 * The bytes of an object, asked for again from where they broke off. Breaks that came after some progress do not count, so a long
 * download survives many.
 */
export function readThroughBreaks(
  first: Readable,
  o: {
    /** Where in the object `first` begins, and how many bytes it is to bring. */
    from: number;
    bytes: number;
    again: (from: number, end: number) => Promise<Readable>;
    /** What a reader is told in place of the client's error. */
    failure: (error: unknown) => unknown;
    signal: AbortSignal | undefined;
  },
): Readable {
  const end = o.from + o.bytes;
  let source = first;
  source.on('error', () => undefined); // also when nobody reads yet

  async function* bytes(): AsyncGenerator<Buffer> {
    let at = o.from;
    for (let breaks = 0; ; ) {
      try {
        for await (const chunk of source) {
          yield chunk;
          at += chunk.length;
          breaks = 0;
        }
        if (at >= end) return;
        throw new Error(`the object ended ${end - at} bytes early`);
      } catch (error) {
        source.destroy();
        breaks += 1;
        // All bytes came and are not what was stored: no other try brings better ones.
        if (o.signal?.aborted || breaks > BREAKS_MOST || at >= end) throw o.failure(error);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * breaks));
        source = await o.again(at, end - 1).catch((cause: unknown) => {
          throw o.failure(cause);
        });
        source.on('error', () => undefined);
      }
    }
  }
  const body = Readable.from(bytes(), { objectMode: false, highWaterMark: 256 * 1024 });
  // A body that is given up before it was read never runs the generator's end.
  body.once('close', () => source.destroy());
  return body;
}
