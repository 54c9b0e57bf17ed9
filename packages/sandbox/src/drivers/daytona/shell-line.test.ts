import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARGUMENT_BYTES, createMarked, quoted, sessionLine } from './shell-line.ts';

const run = promisify(execFile);

describe('words for a shell', () => {
  it('come out of a real shell as they went in', async () => {
    const words = [
      "it's",
      '$HOME `id` $(id) *',
      '"\\',
      '',
      'a\nb\tc',
      '-n',
      '=x',
      '!!',
      "'",
      'ü',
      '\u0001\u0002',
      '{a,b}',
      '~',
    ];
    const { stdout } = await run('sh', ['-c', `printf '%s\\0' ${quoted(words)}`]);
    expect(stdout.split('\0').slice(0, -1)).toEqual(words);
  });

  it('are refused when no shell can take them', () => {
    expect(() => quoted(['a\0b'])).toThrow(expect.objectContaining({ code: 'validation_failed' }));
    expect(() => quoted(['ä'.repeat(ARGUMENT_BYTES)])).toThrow(expect.objectContaining({ code: 'command_too_long' }));
    expect(quoted(['x'.repeat(ARGUMENT_BYTES)])).toHaveLength(ARGUMENT_BYTES + 2);
  });

  it('leave their exit code to the session', async () => {
    const ended = await run('bash', ['-c', `${sessionLine(['sh', '-c', 'printf out; exit 7'], 'T')}`]).catch(
      (error) => error,
    );
    expect(ended).toMatchObject({ code: 7, stdout: 'outT:7;', stderr: 'T:7;' });
  });
});

describe('the mark at the end', () => {
  it('is found in pieces of any size, and nothing of the output is lost', () => {
    const token = 'abcabd';
    const piece = fc.array(fc.constantFrom('a', 'b', 'c', 'd', ':', ';', '1', 'abcab', 'abcabd', '\n'), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        piece,
        fc.integer({ min: 0, max: 255 }),
        fc.array(fc.nat(12), { maxLength: 20 }),
        (parts, code, cuts) => {
          // What a process prints never has the mark: it is random.
          const output = parts.join('').replaceAll(`${token}:`, '');
          const all = `${output}${token}:${code};\n`;
          const marked = createMarked(token);
          let out = '';
          let at = 0;
          for (const cut of [...cuts, all.length]) {
            out += marked.push(all.slice(at, at + cut));
            at += cut;
          }
          expect([out, marked.code]).toEqual([output, code]);
        },
      ),
    );
  });
});
