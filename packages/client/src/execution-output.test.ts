import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOutputDecoder, type Piece } from './execution-output.ts';

type Stream = 'stdout' | 'stderr';
const piece = (stream: Stream, offset: number, bytes: Uint8Array): Piece => ({
  stream,
  text: `${offset}:${Buffer.from(bytes).toString('base64')}`,
});

/** Pieces that cover some bytes: each begins at or before the end of what came before, and may lie within it. */
const covered = (stream: Stream) =>
  fc
    .tuple(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.record({ back: fc.nat(60), length: fc.nat(50) }), { maxLength: 40 }),
    )
    .map(([bytes, cuts]) => {
      let end = 0;
      const pieces = [...cuts, { back: 0, length: bytes.length }].map(({ back, length }) => {
        const from = Math.max(0, end - back);
        const part = bytes.subarray(from, from + length);
        end = Math.max(end, from + part.length);
        return piece(stream, from, part);
      });
      return { bytes, pieces };
    });

describe('what an execution printed', () => {
  it('comes out byte by byte, each once and in order, however the pieces overlap', () => {
    fc.assert(
      fc.property(covered('stdout'), covered('stderr'), fc.infiniteStream(fc.boolean()), (stdout, stderr, turns) => {
        const left = { stdout: [...stdout.pieces], stderr: [...stderr.pieces] };
        const came: Record<Stream, Uint8Array[]> = { stdout: [], stderr: [] };
        const decoder = createOutputDecoder();
        while (left.stdout.length + left.stderr.length > 0) {
          const turn = turns.next().value ? left.stdout : left.stderr;
          const next = (turn.length > 0 ? turn : left.stdout.length > 0 ? left.stdout : left.stderr).shift();
          const printed = next === undefined ? null : decoder.next(next);
          if (printed === null || printed.stream === 'system') continue;
          expect(printed.bytes.length).toBeGreaterThan(0);
          came[printed.stream].push(printed.bytes);
        }
        expect(Buffer.concat(came.stdout)).toEqual(Buffer.from(stdout.bytes));
        expect(Buffer.concat(came.stderr)).toEqual(Buffer.from(stderr.bytes));
        expect([decoder.taken('stdout'), decoder.taken('stderr')]).toEqual([stdout.bytes.length, stderr.bytes.length]);
      }),
    );
  });

  it('has no hole that nobody is told of', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 1000 }), (before, hole) => {
        const decoder = createOutputDecoder();
        decoder.next(piece('stderr', 0, new Uint8Array(before)));
        expect(() => decoder.next(piece('stderr', before + hole, new Uint8Array(3)))).toThrow(RangeError);
        // Nothing was taken of it: what is missing may still come.
        expect(decoder.taken('stderr')).toBe(before);
      }),
    );
  });

  it('is not made of what is no piece', () => {
    for (const text of ['', 'aGk=', '1', '-1:aGk=', '0:a!', ':aGk=', '1e3:aGk=', '0:aGkaG', '1:', ' 0:aGk='])
      expect(() => createOutputDecoder().next({ stream: 'stdout', text }), text).toThrow(/piece|missing/);
    const says = { stream: 'system', text: '0:aGk=' } as const;
    expect(createOutputDecoder().next(says)).toEqual(says);
  });
});
