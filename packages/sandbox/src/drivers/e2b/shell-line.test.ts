import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { shellLine } from './shell-line.ts';

const run = (argv: string[]): string =>
  execFileSync('/bin/bash', ['-c', shellLine(argv, 'MARK', { terminal: false })], {
    stdio: ['ignore', 'pipe', 'pipe'],
  }).toString();

describe('the line that E2B takes in place of arguments', () => {
  const words = [
    ['nothing', ''],
    ['a quote', "it's"],
    ['quotes alone', `'"'"'`],
    ['what a shell would do', '$(id) `id` $HOME * ; & | < > \\ !! ~ # {a,b}'],
    ['an option of exec', '-a'],
    ['lines', 'one\ntwo\r\n\tthree'],
    ['other alphabets', 'žluťoučký 日本 🎉'],
    ['all that can be given', Array.from({ length: 127 }, (_, at) => String.fromCharCode(at + 1)).join('')],
  ] as const;

  test.each(words)('%s arrives as it is', (_name, word) => {
    expect(run(['/usr/bin/env', 'printf', '%s|', word, 'end'])).toBe(`MARK${word}|end|`);
  });

  test('the program is the process, so that its pid is the one that is known', () => {
    const printed = run(['sh', '-c', 'cat /proc/$$/cmdline | tr "\\0" " "; echo $PPID']);
    expect(printed).toMatch(/^MARKsh -c cat /);
    expect(Number(/(\d+)\n$/.exec(printed)?.[1])).toBe(process.pid);
  });

  test('what the kernel would refuse is refused before it is sent', () => {
    const long = (length: number) => () => shellLine(['echo', "'".repeat(length)], 'MARK', { terminal: false });
    expect(long(32_000)).not.toThrow();
    expect(run(['printf', '%.3s', "'".repeat(32_000)])).toBe("MARK'''");
    expect(long(33_000)).toThrow(expect.objectContaining({ code: 'command_too_long' }));
    expect(() => shellLine(['a\0b'], 'MARK', { terminal: false })).toThrow(
      expect.objectContaining({ code: 'validation_failed' }),
    );
  });
});
