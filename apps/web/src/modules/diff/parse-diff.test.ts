import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { languageOf, parseDiff, unquote, visiblePath, withoutTricks } from './parse-diff.ts';

describe('parseDiff on what git prints', () => {
  let folder: string;
  let text: string;
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
  const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hangar-diff-'));
    git('init', '-q');
    write('changed.ts', 'one\ntwo\nthree\n');
    write('gone file.txt', 'bye\n');
    write('old name.txt', 'a\nb\nc\nd\ne\nf\ng\n');
    write('run.sh', 'echo hi\n');
    write('data.bin', Uint8Array.from([0, 1, 2, 255]));
    write('dashes.sql', '-- a comment\n++ not a header\n');
    git('add', '-A');
    git('commit', '-qm', 'base');
    write('changed.ts', 'one\n2\nthree\nfour\n');
    rmSync(join(folder, 'gone file.txt'));
    renameSync(join(folder, 'old name.txt'), join(folder, 'new name.txt'));
    chmodSync(join(folder, 'run.sh'), 0o755);
    write('data.bin', Uint8Array.from([0, 9, 9, 255, 7]));
    write('dashes.sql', 'diff --git a/x b/x\n@@ -1 +1 @@\n');
    write('tab\tquote"ümlaut\u202e.txt', 'x\n');
    write('a b/ b b'.replaceAll('/', '_'), 'no line end');
    write('empty', '');
    git('add', '-A');
    text = git('diff', '--cached', '--binary', '-M', 'HEAD');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const file = (path: string) => parseDiff(text).find((candidate) => candidate.path === path);

  it('counts like git does', () => {
    const numstat = git('diff', '--cached', '--numstat', '-z', '--no-renames', 'HEAD').split('\0').filter(Boolean);
    const byPath = new Map(
      numstat.map((entry) => {
        const [plus, minus, path] = entry.split('\t', 2).concat(entry.split('\t').slice(2).join('\t'));
        return [path, `${plus} ${minus}`];
      }),
    );
    for (const name of ['changed.ts', 'gone file.txt', 'dashes.sql', 'a b_ b b', 'tab\tquote"ümlaut\u202e.txt'])
      expect(`${file(name)?.insertions} ${file(name)?.deletions}`).toBe(byPath.get(name));
    expect(parseDiff(text)).toHaveLength(9);
  });

  it('knows what happened to each file', () => {
    expect(file('gone file.txt')).toMatchObject({ change: 'deleted', deletions: 1 });
    expect(file('new name.txt')).toMatchObject({ change: 'renamed', oldPath: 'old name.txt', insertions: 0 });
    expect(file('run.sh')).toMatchObject({ change: 'mode', mode: { from: '100644', to: '100755' } });
    expect(file('data.bin')).toMatchObject({ isBinary: true, hunks: '', insertions: 0 });
    expect(file('empty')).toMatchObject({ change: 'added', lines: 0 });
    expect(file('changed.ts')).toMatchObject({ change: 'modified', insertions: 2, deletions: 1 });
  });

  it('is not led astray by content that looks like a header', () => {
    expect(file('dashes.sql')?.hunks).toContain('+diff --git a/x b/x\n');
    expect(file('x')).toBeUndefined();
  });

  it('leaves hunks out when asked', () => {
    expect(parseDiff(text, { keepHunks: false }).every((entry) => entry.hunks === '')).toBe(true);
    expect(parseDiff(text, { keepHunks: false }).find((entry) => entry.path === 'changed.ts')?.insertions).toBe(2);
  });
});

describe('parseDiff on anything else', () => {
  it('never throws', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        'diff --git ',
        'a/x b/x',
        '"a/\\303\\274',
        '"',
        '\n',
        '@@ -1 +1 @@\n',
        '--- ',
        '+++ ',
        '\\',
        '+x\n',
      ),
    );
    fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => Array.isArray(parseDiff(pieces.join('')))));
    expect(parseDiff('')).toEqual([]);
    expect(parseDiff('no diff here\n')).toEqual([]);
  });
});

describe('names', () => {
  it('are unquoted as git quotes them', () => {
    expect(unquote('"a/\\303\\274 \\"x\\"\\t\\\\"')).toBe('a/ü "x"\t\\');
    expect(unquote('plain')).toBe('plain');
    expect(unquote('"a/😀\\351"')).toBe('a/😀\udce9');
  });

  it('whose bytes are no text are told apart, renamed and shown as git writes them', () => {
    const files = parseDiff(
      [
        'diff --git "a/caf\\351.txt" "b/caf\\351.txt"',
        'index 1111111..2222222 100644',
        '--- "a/caf\\351.txt"',
        '+++ "b/caf\\351.txt"',
        '@@ -1 +1 @@',
        '-a',
        '+b',
        'diff --git "a/caf\\350.txt" b/plain name.txt',
        'similarity index 100%',
        'rename from "caf\\350.txt"',
        'rename to plain name.txt',
        'diff --git a/plain.bin "b/caf\\352"',
        'similarity index 100%',
        'copy from plain.bin',
        'copy to "caf\\352"',
        'diff --git "a/\\303\\251\\377" "b/\\303\\251\\377"',
        'old mode 100644',
        'new mode 100755',
        '',
      ].join('\n'),
    );
    expect(files.map(({ path, oldPath, change }) => [path, oldPath, change])).toEqual([
      ['caf\udce9.txt', null, 'modified'],
      ['plain name.txt', 'caf\udce8.txt', 'renamed'],
      ['caf\udcea', 'plain.bin', 'copied'],
      ['é\udcff', null, 'mode'],
    ]);
    expect(files.map(({ path }) => visiblePath(path))).toEqual([
      'caf\\351.txt',
      'plain name.txt',
      'caf\\352',
      'é\\377',
    ]);
  });

  it('show what cannot be seen', () => {
    expect(visiblePath('a\u202egnp.exe')).toBe('a\\u202egnp.exe');
    expect(visiblePath('tab\tnew\nline')).toBe('tab\\u0009new\\u000aline');
    expect(visiblePath('ordinary/päth.ts')).toBe('ordinary/päth.ts');
  });

  it('and content keep their direction', () => {
    expect(withoutTricks('if (admin\u202e ) {\n\tx\u001b')).toBe('if (admin\\u202e ) {\n\tx\\u001b');
  });

  it('tell the language', () => {
    expect(languageOf('src/Main.TSX')).toBe('typescript');
    expect(languageOf('deploy/Dockerfile')).toBe('dockerfile');
    expect(languageOf('LICENSE')).toBeNull();
  });
});
