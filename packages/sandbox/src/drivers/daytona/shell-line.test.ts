import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ARGUMENT_BYTES, quoted, sessionLine } from './shell-line.ts';

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
    expect(ended).toMatchObject({ code: 7, stdout: 'T<;\noutT:7;', stderr: 'T<;\nT:7;' });
  });
});
