import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { checkWords, quoteForLogin, quoteForSh } from './quote.ts';

// Some shells make folders in it.
const home = mkdtempSync(join(tmpdir(), 'hangar-home-'));
afterAll(() => rmSync(home, { recursive: true }));

const SHELLS = ['dash', 'bash', 'busybox', 'zsh', 'fish', 'tcsh', 'csh', 'mksh'];
const HARD = [
  '',
  "it's",
  "a\\\\b \\' \\n \\0012",
  'what! !! !$ ^a^b',
  'line\nline\n\n',
  '\t\r\x01\x1e\x7f',
  '$HOME `id` $(id) "double" *?[a] ~ # %s %% {a,b} (x) ; | & < >',
  'ü 漢字 🙂',
  '-n',
];

describe.each(SHELLS)('as the login shell: %s', (shell) => {
  const isThere = spawnSync(shell, shell === 'busybox' ? ['true'] : ['-c', 'exit 0']).status === 0;
  const args = shell === 'busybox' ? ['sh', '-c'] : ['-c'];

  it('every text comes through as it is', ({ skip }) => {
    if (!isThere) skip(`needs ${shell}`);
    const through = (text: string) =>
      execFileSync(shell, [...args, `exec sh -c 'eval "$(printf %b "$1")"' sh ${quoteForLogin(text)}`], {
        // Files of whoever runs the tests print what they like.
        env: { PATH: process.env.PATH, HOME: home },
        stdio: ['ignore', 'pipe', 'ignore'],
      }).toString('utf8');
    const script = `printf '<%s>' ${HARD.map(quoteForSh).join(' ')}`;
    expect(through(script)).toBe(HARD.map((word) => `<${word}>`).join(''));
  });
});

it('no text is more than one word, whatever stands in it', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ unit: 'binary' }).filter((word) => !word.includes('\0')),
        { maxLength: 4 },
      ),
      (words) => {
        const quoted = quoteForLogin(`printf '<%s>' '' ${words.map(quoteForSh).join(' ')}`);
        expect(quoted).toMatch(/^'[ -&(-~]*'$/);
        const out = execFileSync('sh', ['-c', `exec sh -c 'eval "$(printf %b "$1")"' sh ${quoted}`]).toString('utf8');
        expect(out).toBe(`<>${words.map((word) => `<${Buffer.from(word).toString('utf8')}>`).join('')}`);
      },
    ),
    { numRuns: 60 },
  );
});

it('what no program can be started with is refused', () => {
  for (const argv of [['a\0b'], ['ls', '\0'], [''], ['-a', 'x'], []]) {
    expect(() => checkWords(argv)).toThrow(expect.objectContaining({ code: 'validation_failed' }));
  }
});
