import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BackOff } from './back-off.ts';
import { readStream, type StreamBody, type StreamOptions } from './event-stream.ts';
import { jsonOf, type StreamEvent } from './frame.ts';

/** Reads until a frame says that it is over; each connection brings the pieces that stand at its place. */
async function read(
  connections: readonly (readonly string[] | ((signal: AbortSignal) => AsyncIterable<Uint8Array>))[],
  o: Partial<StreamOptions> & { leave?: (signal: AbortSignal) => AbortSignal } = {},
) {
  const asked: (string | null)[] = [];
  const said: string[] = [];
  const frames: StreamEvent[] = [];
  const end = new AbortController();
  const backOff = new BackOff({
    ...{ signal: end.signal, pauses: [1] },
    isPassing: () => true,
    onLost: (error, before) => said.push(`${error instanceof Error ? error.message : error} ${before}`),
  });
  let closed = 0;
  const connect = async (lastEventId: string | null, signal: AbortSignal): Promise<StreamBody> => {
    const pieces = connections[asked.length];
    asked.push(lastEventId);
    if (pieces === undefined) throw new Error('refused');
    const body = typeof pieces === 'function' ? pieces(signal) : bytes(...pieces);
    return { body, leave: o.leave?.(signal), close: () => (closed += 1) };
  };
  for await (const some of readStream({ connect, backOff, signal: end.signal, ...o })) {
    frames.push(...some);
    if (some.some(({ data }) => data === 'over')) break;
  }
  return { asked, said, frames, closed, data: frames.map(({ data }) => data) };
}

async function* bytes(...pieces: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield typeof piece === 'string' ? new TextEncoder().encode(piece) : piece;
}
/** Brings nothing more until the connection is given up. */
async function* untilAborted(signal: AbortSignal, ...pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  yield* bytes(...pieces);
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}
const OVER = 'data: over\n\n';

describe('frames', () => {
  it('are taken apart wherever they are cut', async () => {
    const text = ': hello\r\nid: 7\r\nevent: end\r\ndata: a\r\ndata:ö\r\n\r\nevent: alive\ndata: {}\n\ndata: over\n\n';
    const whole = new TextEncoder().encode(text);
    for (let cut = 0; cut < whole.length; cut += 1) {
      const { frames } = await read([() => bytes(whole.subarray(0, cut), whole.subarray(cut))]);
      expect(frames).toEqual([
        { event: 'end', data: 'a\nö', id: '7' },
        { event: 'message', data: 'over', id: '7' },
      ]);
    }
  });

  it('carry JSON, or nothing that is understood', () => {
    const frame = { event: 'message', id: null };
    expect([jsonOf({ ...frame, data: '[1]' }), jsonOf({ ...frame, data: '[1' })]).toEqual([[1], undefined]);
  });
});

describe('a stream that is read', () => {
  it('goes on behind the last frame, also one that carries nothing; what was cut is not taken', async () => {
    const { asked, data, said, closed } = await read(
      [['id: 3\ndata: a\n\n', 'id: 4\nda'], ['id: 5\n\n'], [], ['data: b\n\n', OVER]],
      { after: '2' },
    );
    expect(asked).toEqual(['2', '3', '5', '5']);
    expect(data).toEqual(['a', 'b', 'over']);
    // Only what was not there before makes the next break the first one.
    expect(said.map((words) => words.slice(-1))).toEqual(['0', '0', '1']);
    expect(closed).toBe(4);
  });

  it('counts the same frame again and again as nothing that came', async () => {
    const again = ['id: 1\ndata: a\n\n'];
    const { said } = await read([again, again, again, [OVER]], { after: '1' });
    expect(said.map((words) => words.slice(-1))).toEqual(['0', '1', '2']);
  });

  it('is lost when nothing comes for too long, and each piece counts', async () => {
    const slow = async function* (signal: AbortSignal) {
      for (let n = 0; n < 4; n += 1) {
        await sleep(30);
        yield* bytes(':\n\n');
      }
      yield* untilAborted(signal, 'id: 1\ndata: a\n\n');
    };
    const { said, asked, data } = await read([slow, [OVER]], { silenceMs: 60 });
    expect(said).toHaveLength(1);
    expect({ asked, data }).toEqual({ asked: [null, '1'], data: ['a', 'over'] });
  });

  it('is left between two frames only, without a word, and connected again at once', async () => {
    const leave = new AbortController();
    const first = async function* (signal: AbortSignal) {
      yield* bytes('id: 1\ndata: a\n\nid: 2\ndata: ');
      leave.abort();
      await sleep(20);
      expect(signal.aborted).toBe(false);
      yield* untilAborted(signal, 'b\n\n');
    };
    const second = (signal: AbortSignal) => {
      const late = new AbortController();
      setTimeout(() => late.abort(), 20);
      leaves.push(late.signal);
      return untilAborted(signal, ':\n\n');
    };
    const leaves = [leave.signal];
    let opened = 0;
    const { said, asked, data } = await read([first, second, [OVER]], {
      leave: () => leaves.at(-1) ?? leave.signal,
      onOpen: () => {
        opened += 1;
        if (opened === 2) leaves.push(new AbortController().signal);
      },
    });
    expect({ said, asked, data, opened }).toEqual({
      ...{ said: [], asked: [null, '2', '2'], data: ['a', 'b', 'over'], opened: 3 },
    });
  });

  it('ends with its signal, while it waits and while it reads', async () => {
    const reason = new Error('nobody looks any more');
    for (const connect of [
      () => Promise.reject(new Error('refused')),
      async (_: string | null, signal: AbortSignal) => ({ body: untilAborted(signal), close: () => {} }),
    ]) {
      const end = new AbortController();
      const backOff = new BackOff({ signal: end.signal, pauses: [60_000], isPassing: () => true });
      const first = readStream({ connect, backOff, signal: end.signal }).next();
      setTimeout(() => end.abort(reason), 5);
      await expect(first).rejects.toBe(reason);
    }
  });
});
