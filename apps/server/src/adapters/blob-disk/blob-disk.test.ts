import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { beforeEach, expect, test } from 'vitest';
import type { Blobs } from '../../platform/blobs/blobs.ts';
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
const read = async (key: string) => {
  const found = await blobs.get(key);
  return found ? text(found.body) : null;
};
async function keys(prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const key of blobs.list(prefix)) found.push(key);
  return found;
}

test('a blob comes back as it went in, with its size and hash', async () => {
  const bytes = randomBytes(3 * MB + 17);
  const parts = [bytes.subarray(0, 5), bytes.subarray(5, MB), bytes.subarray(MB)];
  const stored = await blobs.put('jobs/j_1/1/diff', Readable.from(parts), { maxBytes: bytes.length });
  expect(stored).toEqual({ sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  const found = await blobs.get('jobs/j_1/1/diff');
  expect(found?.sizeBytes).toBe(bytes.length);
  expect(found && (await buffer(found.body)).equals(bytes)).toBe(true);
  expect((await stat(path.join(dir, 'blobs/jobs/j_1/1/diff'))).mode & 0o777).toBe(0o600);
  expect(await temps()).toEqual([]);
});

test('a range is read with both ends in it; the size stays that of the whole', async () => {
  await put('a/b', '0123456789');
  const found = await blobs.get('a/b', { range: { start: 2, end: 4 } });
  expect(found?.sizeBytes).toBe(10);
  expect(found && (await text(found.body))).toBe('234');
});

test('put replaces, remove is content when nothing is there, an empty body is a blob too', async () => {
  await put('a', 'one');
  await put('a', 'two');
  expect(await read('a')).toBe('two');
  await put('a', '');
  expect(await read('a')).toBe('');
  await blobs.remove('a');
  await blobs.remove('a');
  expect(await blobs.get('a')).toBeNull();
  expect(await blobs.get('never/was')).toBeNull();
});

test('over the limit nothing is left, the old blob stays, and the sender can still be answered', async () => {
  await put('a', 'old');
  const body = Readable.from([Buffer.alloc(600), Buffer.alloc(600), Buffer.alloc(600)]);
  await expect(blobs.put('a', body, { maxBytes: 1000 })).rejects.toMatchObject({ code: 'body_too_large' });
  expect(body.destroyed).toBe(false);
  expect(await read('a')).toBe('old');
  expect(await temps()).toEqual([]);
});

test('a body that breaks off or is given up leaves nothing', async () => {
  const broken = Readable.from(
    (async function* () {
      yield 'half';
      throw new Error('socket gone');
    })(),
  );
  await expect(blobs.put('a', broken, { maxBytes: MB })).rejects.toThrow('socket gone');
  const stop = new AbortController();
  const endless = new Readable({ read() {} });
  endless.push('half');
  const putting = blobs.put('a', endless, { maxBytes: MB, signal: stop.signal });
  stop.abort(new Error('given up'));
  await expect(putting).rejects.toThrow('given up');
  expect(endless.destroyed).toBe(true);
  expect(await blobs.get('a')).toBeNull();
  expect(await temps()).toEqual([]);
});

test.each(['', '/etc/passwd', '../x', 'a/../../x', 'a//b', 'a/', '.tmp/x', 'a/.b', 'a\0b', 'a\\b', 'x'.repeat(600)])(
  'the key %j is refused',
  async (key) => {
    await expect(put(key, 'x')).rejects.toMatchObject({ code: 'internal' });
    await expect(blobs.get(key)).rejects.toMatchObject({ code: 'internal' });
    await expect(blobs.remove(key)).rejects.toMatchObject({ code: 'internal' });
    await expect(blobs.removeAll(`${key}/`)).rejects.toMatchObject({ code: 'internal' });
  },
);

test('removeAll needs a folder, and takes only that', async () => {
  for (const key of ['jobs/j_1/a', 'jobs/j_1/deep/b', 'jobs/j_10/c', 'other']) await put(key, key);
  expect(await keys('')).toEqual(['jobs/j_1/a', 'jobs/j_1/deep/b', 'jobs/j_10/c', 'other']);
  expect(await keys('jobs/j_1/')).toEqual(['jobs/j_1/a', 'jobs/j_1/deep/b']);
  expect(await keys('nothing/')).toEqual([]);
  await expect(blobs.removeAll('')).rejects.toMatchObject({ code: 'internal' });
  await expect(blobs.removeAll('jobs/j_1')).rejects.toMatchObject({ code: 'internal' });
  await blobs.removeAll('jobs/j_1/');
  await blobs.removeAll('jobs/j_1/');
  expect(await keys('')).toEqual(['jobs/j_10/c', 'other']);
});

test('writers of one key and removers of its folder never leave half a blob', async () => {
  const bodies = Array.from({ length: 30 }, (_, n) => String(n % 10).repeat(50_000));
  await Promise.all([
    ...bodies.map((body) => put('jobs/j_1/a', body)),
    ...bodies.map(() => blobs.removeAll('jobs/j_1/')),
  ]);
  await put('jobs/j_1/a', bodies[3] ?? '');
  expect(await read('jobs/j_1/a')).toBe(bodies[3]);
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
