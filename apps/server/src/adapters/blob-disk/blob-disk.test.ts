import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { beforeEach, expect, test } from 'vitest';
import type { Blobs } from '../../platform/blobs/blobs.ts';
import { blobsSuite } from '../../platform/blobs/testing/index.ts';
import { openBlobsOnDisk } from './index.ts';

const MB = 1024 * 1024;
let dir: string;
let blobs: Blobs;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'hangar-blobs-'));
  blobs = await openBlobsOnDisk(path.join(dir, 'blobs'));
  return () => rm(dir, { recursive: true, force: true });
});

const temps = () => readdir(path.join(dir, 'blobs', '.tmp'));
const put = (key: string, body: string) => blobs.put(key, Readable.from([body]), { maxBytes: MB });

let stores = 0;
blobsSuite('blobs on disk', () => {
  stores += 1;
  return openBlobsOnDisk(path.join(dir, `store${stores}`));
});

test('blobs are for their owner only, and nothing is left beside them', async () => {
  await put('jobs/j_1/1/diff', 'text');
  expect((await stat(path.join(dir, 'blobs/jobs/j_1/1/diff'))).mode & 0o777).toBe(0o600);
  expect((await stat(path.join(dir, 'blobs/jobs'))).mode & 0o777).toBe(0o700);
  await expect(blobs.put('a', Readable.from(['too', 'long']), { maxBytes: 4 })).rejects.toThrow();
  expect(await temps()).toEqual([]);
});

test('a start sweeps what dead servers left, and nothing that is being written', async () => {
  const temp = path.join(dir, 'blobs', '.tmp');
  await writeFile(path.join(temp, 'dead'), 'x');
  await writeFile(path.join(temp, 'alive'), 'x');
  const old = new Date(Date.now() - 2 * 60 * 60 * 1000);
  await utimes(path.join(temp, 'dead'), old, old);
  await openBlobsOnDisk(path.join(dir, 'blobs'));
  expect(await temps()).toEqual(['alive']);
});

test('a folder that cannot be used is named', async () => {
  await writeFile(path.join(dir, 'file'), '');
  await expect(openBlobsOnDisk(path.join(dir, 'file'))).rejects.toMatchObject({ code: 'data_dir_unusable' });
});

test('a full disk is said to be full, and nothing is left on it', async ({ skip }) => {
  const run = promisify(execFile);
  const small = path.join(dir, 'small');
  await mkdir(small);
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]).then(
    () => true,
    () => false,
  );
  if (!mounted) skip('needs the right to mount a tmpfs');
  try {
    const store = await openBlobsOnDisk(small);
    const body = Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(100_000)));
    await expect(store.put('a', body, { maxBytes: 10 * MB })).rejects.toMatchObject({ code: 'disk_full' });
    expect(await readdir(path.join(small, '.tmp'))).toEqual([]);
    await store.put('b', Readable.from(['fits']), { maxBytes: MB });
  } finally {
    await run('umount', [small]);
  }
});
