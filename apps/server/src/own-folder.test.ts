import { chmod, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { askServer, serveControl, socketFolder } from './control.ts';
import { ownFolder } from './own-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hangar-own-'));
  return () => rm(folder, { recursive: true, force: true });
});
const refused = { code: 'data_dir_unusable' };

test('a folder that is not there is made for its user alone', async () => {
  await ownFolder(join(folder, 'run'), 0o700);
  expect((await stat(join(folder, 'run'))).mode & 0o777).toBe(0o700);
  await ownFolder(join(folder, 'run'), 0o700);
});

test('one that others may write to, or that leads elsewhere, is refused', async () => {
  const run = join(folder, 'run');
  await mkdir(run);
  for (const mode of [0o770, 0o707, 0o777, 0o1777]) {
    await chmod(run, mode);
    await expect(ownFolder(run, 0o700), mode.toString(8)).rejects.toMatchObject(refused);
  }
  await chmod(run, 0o755);
  await ownFolder(run, 0o700);
  await symlink(run, join(folder, 'link'));
  await expect(ownFolder(join(folder, 'link'), 0o700)).rejects.toMatchObject(refused);
});

test.skipIf(process.getuid?.() !== 0)('one of another user is refused, too', async () => {
  const run = join(folder, 'run');
  await mkdir(run, { mode: 0o700 });
  const { chown } = await import('node:fs/promises');
  await chown(run, 12_345, 12_345);
  await expect(ownFolder(run, 0o700)).rejects.toMatchObject(refused);
});

test('neither a server nor a command talks over a socket in such a folder', async () => {
  const run = socketFolder(folder);
  await mkdir(run, { recursive: true });
  const theirs = createServer((_request, response) => response.end('{"key":"hgr_theirs"}'));
  await new Promise<void>((done) => theirs.listen(join(run, `control-${process.pid}.sock`), done));
  await chmod(run, 0o777);
  await expect(askServer(folder, 'admin-key', AbortSignal.timeout(5_000))).rejects.toMatchObject(refused);
  await expect(serveControl(run, {})).rejects.toMatchObject(refused);
  await chmod(run, 0o700);
  expect(await askServer(folder, 'admin-key', AbortSignal.timeout(5_000))).toEqual({ key: 'hgr_theirs' });
  await new Promise((done) => theirs.close(done));
});
