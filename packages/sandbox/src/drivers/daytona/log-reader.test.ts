import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMarked, createRelabel } from './log-reader.ts';

describe('the marks of a stream', () => {
  it('are found in pieces of any size, and nothing of the output is lost', () => {
    const token = 'abcabd';
    const piece = fc.constantFrom('a', 'b', 'c', 'd', ':', ';', '1', 'abcab', 'abcabd', '\n', '<');
    const cuts = fc.array(fc.nat(12), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.integer({ min: 0, max: 255 }), cuts, (parts, code, sizes) => {
        // What a process prints never has the mark: it is random.
        const output = parts.join('').replaceAll(`${token}:`, '');
        fc.pre(!output.includes(`${token}:`) && !`${output}${token}:`.slice(0, -1).includes(`${token}:`));
        const all = `${token}<;\n${output}${token}:${code};\n`;
        const marked = createMarked(token);
        let out = '';
        let at = 0;
        for (const size of [...sizes, all.length]) {
          out += marked.push(all.slice(at, at + size));
          at += size;
        }
        expect([out, marked.code]).toEqual([output, code]);
      }),
    );
  });

  it('are no output and no end without their beginning', () => {
    const marked = createMarked('T');
    expect([marked.push('lost\nT:0;\n'), marked.code]).toEqual(['', null]);
  });
});

describe('labels that the reader left in the text', () => {
  it('say the stream of their line, also in pieces', () => {
    const relabel = createRelabel();
    const said = [
      ...relabel('stdout', 'one\n'),
      ...relabel('stdout', '\u0002'),
      ...relabel('stdout', '\u0002\u0002er'),
      ...relabel('stdout', 'r\n'),
      ...relabel('stdout', 'two\n\u0001\u0001\u0001three\n'),
      ...relabel('stderr', 'err\n'),
    ];
    const of = (stream: string) => said.flatMap(([name, text]) => (name === stream ? text : [])).join('');
    expect([of('stdout'), of('stderr')]).toEqual(['one\ntwo\nthree\n', 'err\nerr\n']);
  });
});
