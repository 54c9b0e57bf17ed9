import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { git, tempFolders } from '../testing/fixtures.ts';
import { ground } from '../testing/ground.ts';

const GROUND = new URL('../testing/ground.ts', import.meta.url).href;
const temp = tempFolders();
afterAll(() => temp.clean());

const MANY = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`f${n}\n`, `${n}\n`]));

test('any number of files that cannot be read costs no other, and they are named', async () => {
  const g = await ground(temp.make(), { ...MANY, 'a.txt': 'a\n' });
  // Pipes in place of files: nobody can read them, root neither.
  for (const name of Object.keys(MANY)) {
    rmSync(join(g.tree, name));
    execFileSync('mkfifo', [join(g.tree, name)]);
  }
  writeFileSync(join(g.tree, 'a.txt'), 'changed\n');
  writeFileSync(join(g.tree, 'new.txt'), 'new\n');
  const { stat, file } = (await g.collect()) ?? expect.unreachable();
  expect(stat.filesChanged).toBe(2);
  expect(readFileSync(file, 'utf8')).not.toContain('f7\\n');
  expect(stat.leftOut).toEqual([
    expect.stringMatching(/^Could not be read and are not in the diff: f0\\n, .* and 115 more$/),
  ]);
  expect(g.said).toContain(stat.leftOut?.[0]);
});

test('sockets, links to nowhere and names that are no text', async () => {
  const g = await ground(temp.make(), { 'a.txt': 'a\n', 'b.txt': 'b\n' });
  rmSync(join(g.tree, 'a.txt'));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(g.tree, 'a.txt'), resolve));
  symlinkSync('/nowhere/at/all', join(g.tree, 'link'));
  const name = Buffer.concat([Buffer.from(`${g.tree}/caf`), Buffer.from([0xe9])]);
  writeFileSync(name, 'x\n');
  git(g.tree, 'add', '-A', 'link');
  const { stat } = (await g.collect()) ?? expect.unreachable();
  server.close();
  expect(stat.filesChanged).toBe(2);
  expect(stat.leftOut?.join()).toContain('a.txt');
});

test('names that git does not take are named', async () => {
  const g = await ground(temp.make(), { 'a.txt': 'a\n' });
  mkdirSync(join(g.tree, 'sub'));
  for (const name of ['git~1', 'sub/.GIT', 'fine']) writeFileSync(join(g.tree, name), 'x\n');
  const { stat } = (await g.collect()) ?? expect.unreachable();
  expect(stat.filesChanged).toBe(1);
  expect(stat.leftOut?.join()).toMatch(/git~1/);
  expect(stat.leftOut?.join()).toMatch(/sub\/\.GIT/);
});

test('a file over the limit is left as it was, whatever its name, and however many there are', async () => {
  const g = await ground(temp.make(), { 'grown.txt': 'small\n', 'a.txt': 'a\n' }, 100);
  const big = 'x'.repeat(200);
  writeFileSync(join(g.tree, 'grown.txt'), big);
  writeFileSync(Buffer.concat([Buffer.from(`${g.tree}/caf`), Buffer.from([0xe9])]), big);
  for (let n = 0; n < 250; n++) writeFileSync(join(g.tree, `big${n}`), `${big}${n}`);
  writeFileSync(join(g.tree, 'a.txt'), 'changed\n');
  const { stat, file } = (await g.collect()) ?? expect.unreachable();
  expect(stat.filesChanged).toBe(1);
  expect(readFileSync(file, 'utf8')).not.toContain('grown');
  expect(stat.leftOut?.join()).toMatch(/Larger than 100 bytes .*and 247 more/);
});

test('pipes where git looks for its own files hold nobody up', async () => {
  const g = await ground(temp.make(), { 'a.txt': 'a\n', '.gitattributes': '*.txt text\n', 'sub/x': 'x\n' });
  rmSync(join(g.tree, '.gitattributes'));
  for (const name of ['.gitattributes', '.gitignore', 'sub/.gitignore', '.git/packed-refs', '.git/info/alternates'])
    execFileSync('mkfifo', [join(g.tree, name)]);
  writeFileSync(join(g.tree, 'a.txt'), 'changed\n');
  const { stat } = (await g.collect()) ?? expect.unreachable();
  expect(stat.filesChanged).toBe(1);
  expect(stat.leftOut).toEqual(['Could not be read and are not in the diff: .gitattributes']);
}, 60_000);

/** Root may read everything: then the same is done as somebody else. */
const AS_NOBODY = `
const { chmodSync, mkdirSync, mkdtempSync, writeFileSync } = await import('node:fs');
const { tmpdir } = await import('node:os');
const { ground } = await import(process.argv[1]);
const base = mkdtempSync(tmpdir() + '/hangar-worker-');
const g = await ground(base, { 'locked/in.txt': 'x\\n', 'a.txt': 'a\\n', 'kept.txt': 'k\\n' });
const lock = (name) => chmodSync(g.tree + '/' + name, 0);
for (let n = 0; n < 60; n++) {
  writeFileSync(g.tree + '/new' + n, 'x');
  lock('new' + n);
}
mkdirSync(g.tree + '/folder');
writeFileSync(g.tree + '/folder/x', 'x');
writeFileSync(g.tree + '/kept.txt', 'changed\\n');
for (const name of ['folder', 'kept.txt', 'locked']) lock(name);
writeFileSync(g.tree + '/a.txt', 'changed\\n');
console.log(JSON.stringify((await g.collect()).stat));
for (const name of ['folder', 'locked']) chmodSync(g.tree + '/' + name, 0o700);
(await import('node:fs')).rmSync(base, { recursive: true });
`;

test('files and folders nobody may read are left as they were and named', ({ skip }) => {
  const args = ['--no-warnings', '--input-type=module', '--eval', AS_NOBODY, '--', GROUND];
  const who = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', TMPDIR: '/tmp' };
  const child = spawnSync(process.execPath, args, { ...who, env, cwd: '/', encoding: 'utf8' });
  if (/EACCES|ERR_MODULE_NOT_FOUND/.test(child.error?.message ?? child.stderr))
    skip('nobody cannot read this checkout');
  expect(child.stderr).toBe('');
  const stat = JSON.parse(child.stdout) as { filesChanged: number; leftOut: string[] };
  expect(stat.filesChanged).toBe(1);
  expect(stat.leftOut).toEqual([expect.stringMatching(/^Could not be read .*folder\/, .* and \d+ more$/)]);
});
