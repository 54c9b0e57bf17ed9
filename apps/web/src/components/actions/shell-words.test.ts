import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shellCommand } from '@hangar/contract/shell-words';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { healthCommand, nodesCommand, podCommand } from '../../modules/kubernetes/cluster-commands.ts';
import { curlFor } from './as-command.tsx';

let folder: string;
beforeAll(() => {
  vi.stubGlobal('location', { origin: 'https://hangar.example.org' });
  // Files that a pattern without quotes would match.
  folder = mkdtempSync(join(tmpdir(), 'hangar-words-'));
  for (const name of ['a', 'b', 'jobs', '-x', '~']) writeFileSync(join(folder, name), '');
});
afterAll(() => {
  vi.unstubAllGlobals();
  rmSync(folder, { recursive: true, force: true });
});

/** What a program gets that is called like this in a real shell. */
function got(command: string, program: string): string[] {
  const script = `${program}() { printf '%s\\0' "$@"; }\n${command}\n`;
  const output = execFileSync('sh', ['-c', script], {
    ...{ cwd: folder, encoding: 'utf8', timeout: 10_000 },
    env: { HANGAR_TOKEN: 'to ken', HOME: '/nowhere', PATH: process.env.PATH ?? '' },
  });
  return output.split('\0').slice(0, -1);
}

const special = fc.string({ unit: fc.constantFrom(...'?*[]{}()<>|&;$`"\'\\!#~=%^ \t\n-+:,./@aé☃') });
const word = fc.oneof(special, fc.string({ unit: 'grapheme' })).filter((text) => !text.includes('\0'));

it('a program is given exactly the words, whatever is in them', () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), (words) => {
      expect(got(shellCommand(['hangar', ...words]), 'hangar')).toEqual(words);
    }),
    { numRuns: 150 },
  );
});

it('what needs no quotes has none', () => {
  expect(shellCommand(['hangar', 'logs', 'j_7k2m9qx4', '--follow'])).toBe('hangar logs j_7k2m9qx4 --follow');
  expect(shellCommand(['a?b', '=ls', '', '~'])).toBe("'a?b' '=ls' '' '~'");
});

it('curl is given one address, whatever is asked for', () => {
  fc.assert(
    fc.property(word, word, (search, text) => {
      const path = `/jobs?${new URLSearchParams({ search, mine: 'false' })}`;
      const words = got(curlFor('POST', path, { text }), 'curl');
      expect(words.at(-1)).toBe(`https://hangar.example.org/api${path}`);
      expect(words).toContain('Authorization: Bearer to ken');
      expect(JSON.parse(words[words.indexOf('-d') + 1] ?? '')).toEqual({ text });
    }),
    { numRuns: 50 },
  );
  expect(curlFor('GET', '/jobs?state=running')).toContain("'https://hangar.example.org/api/jobs?state=running'");
});

it('commands for a cluster name that cluster', () => {
  const context = "kind-o'clock & co";
  for (const { hangar, curl } of [
    healthCommand(context),
    nodesCommand(context),
    podCommand('shop', 'web-1', context),
  ]) {
    expect(got(hangar, 'hangar').slice(-2)).toEqual(['--context', context]);
    expect(new URL(got(curl, 'curl').at(-1) ?? '').searchParams.get('context')).toBe(context);
  }
  expect(nodesCommand(undefined)).toMatchObject({ hangar: 'hangar k8s nodes' });
});
