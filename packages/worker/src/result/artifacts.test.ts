import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { tempFolders } from '../testing/fixtures.ts';
import { gatherArtifacts } from './artifacts.ts';

// Root may read everything: what a mode forbids to others is refused here for it as well.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const refused = (path: string) => Promise.reject(Object.assign(new Error('refused'), { code: 'EACCES', path }));
  return {
    ...real,
    readdir: (path: string, o: { withFileTypes: true }) =>
      path.endsWith('locked') ? refused(path) : real.readdir(path, o),
    lstat: (path: string) => (path.endsWith('hidden') ? refused(path) : real.lstat(path)),
  };
});

const temp = tempFolders();
afterAll(() => temp.clean());

test('what cannot be read is left out with its reason, and the rest is kept', async () => {
  const from = temp.make();
  for (const name of ['a', 'hidden', 'z']) writeFileSync(join(from, name), name);
  mkdirSync(join(from, 'locked'));
  chmodSync(join(from, 'locked'), 0);
  const left: string[] = [];
  const found = await gatherArtifacts(from, temp.make(), 1000, (what) => left.push(what));
  chmodSync(join(from, 'locked'), 0o700);
  expect(found.map(({ name }) => name)).toEqual(['a', 'z']);
  expect(left).toEqual(['hidden: cannot be read (EACCES)', 'locked/: cannot be read (EACCES)']);
});

test('nor the folder itself', async () => {
  const from = join(temp.make(), 'locked');
  mkdirSync(from);
  const left: string[] = [];
  expect(await gatherArtifacts(from, temp.make(), 1000, (what) => left.push(what))).toEqual([]);
  expect(left).toEqual(['the whole folder: cannot be read (EACCES)']);
});
