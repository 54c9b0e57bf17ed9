import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FORMAT, type Head } from './archive-format.ts';
import { readArchive } from './archive-reader.ts';
import { createArchive } from './archive-writer.ts';

const HEAD: Head = {
  format: FORMAT,
  version: '0.1.0',
  createdAt: '2026-11-21T00:00:00.000Z',
  migrations: [{ hash: 'a', createdAt: 1 }],
  tables: [{ name: 'job', columns: ['id'] }],
  canary: 'v1.k1.x.y',
};
const LARGE = randomBytes(3 * 1024 * 1024 + 17);

describe('the file of a backup', () => {
  let dir: string;
  let file: string;
  const never = new AbortController().signal;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hangar-archive-'));
    file = join(dir, 'backup.tgz');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  async function make(o: { force?: boolean; blobs?: number } = {}): Promise<void> {
    const archive = await createArchive(file, HEAD, { force: o.force ?? false });
    await archive.add('tables/job/1.ndjson', Buffer.from('{"id":"j_1"}\n{"id":"j_2"}\n'));
    const files = o.blobs ?? 3;
    let fileBytes = 0;
    for (let at = 0; at < files; at += 1) {
      const bytes = at === 0 ? LARGE : at === 1 ? Buffer.alloc(0) : Buffer.from(`blob ${at}`);
      fileBytes += bytes.length;
      await archive.stream(`blobs/a/${at}`, Readable.from(bytes.length > 0 ? [bytes] : []), bytes.length);
    }
    await archive.finish({ tables: { job: 2 }, jobs: 2, files, fileBytes, damaged: [], damagedFiles: 0 });
  }
  const read = () => readArchive(file, {}, never);

  it('gives back what went in, over more than one index, readable by its owner alone', async () => {
    await make({ blobs: 2_100 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const rows: string[] = [];
    const blobs = new Map<string, Buffer>();
    const { head, manifest } = await readArchive(
      file,
      {
        rows: async (table, found) => void rows.push(...found.map((row) => `${table} ${row}`)),
        blob: async (key, body) => void blobs.set(key, await buffer(body)),
      },
      never,
    );
    expect(head).toEqual(HEAD);
    expect(manifest).toMatchObject({ jobs: 2, files: 2_100 });
    expect(rows).toEqual(['job {"id":"j_1"}', 'job {"id":"j_2"}']);
    expect(blobs.size).toBe(2_100);
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(hash(blobs.get('a/0') ?? Buffer.of())).toBe(hash(LARGE));
    expect(blobs.get('a/1')?.length).toBe(0);
    expect(blobs.get('a/2099')?.toString()).toBe('blob 2099');
  });

  it('is refused when cut at any place, changed at any place, empty, or something else', async () => {
    await make();
    const whole = await readFile(file);
    for (const part of [
      0,
      1,
      20,
      700,
      Math.floor(whole.length / 2),
      whole.length - 30,
      whole.length - 9,
      whole.length - 1,
    ]) {
      await writeFile(file, whole);
      await truncate(file, part);
      await expect(read(), `cut at ${part}`).rejects.toMatchObject({ code: 'backup_unreadable' });
    }
    for (const at of [0, 12, 400, Math.floor(whole.length / 2), whole.length - 400]) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      await writeFile(file, changed);
      await expect(read(), `changed at ${at}`).rejects.toMatchObject({ code: 'backup_unreadable' });
    }
    for (const other of ['', 'a text', gzipSync('a text'), gzipSync(Buffer.alloc(4096))]) {
      await writeFile(file, other);
      await expect(read()).rejects.toMatchObject({ code: 'backup_unreadable' });
    }
    await rm(file);
    await expect(read()).rejects.toMatchObject({ code: 'backup_unreadable', message: `There is no file ${file}.` });
  });

  it('is refused when a part was taken out of it, though every byte is as it was written', async () => {
    const archive = await createArchive(file, HEAD, { force: false });
    await archive.add('tables/job/1.ndjson', Buffer.from('{"id":"j_1"}\n'));
    await archive.finish({ tables: { job: 2 }, jobs: 2, files: 0, fileBytes: 0, damaged: [], damagedFiles: 0 });
    await expect(read()).rejects.toMatchObject({ code: 'backup_unreadable' });
  });

  it('replaces no file unless told to, and leaves nothing when it is given up', async () => {
    await writeFile(file, 'mine');
    await expect(make()).rejects.toMatchObject({ code: 'backup_exists' });
    const archive = await createArchive(file, HEAD, { force: true });
    await archive.discard();
    expect(await readFile(file, 'utf8')).toBe('mine');
    await expect(stat(`${file}.part`)).rejects.toMatchObject({ code: 'ENOENT' });
    await make({ force: true });
    await expect(read()).resolves.toMatchObject({ head: HEAD });
  });

  it('says so when a body is shorter than it was told, and when the folder is not there', async () => {
    const archive = await createArchive(file, HEAD, { force: false });
    await expect(archive.stream('blobs/a', Readable.from([Buffer.from('abc')]), 5)).rejects.toThrow();
    await archive.discard();
    await expect(createArchive(join(dir, 'no/where.tgz'), HEAD, { force: false })).rejects.toMatchObject({
      code: 'backup_unwritable',
    });
  });
});
