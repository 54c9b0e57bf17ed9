import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type FileHandle, link, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { HangarError } from '@hangar/contract';
import { pack as createPack } from 'tar-stream';
import { type Head, INDEX_PARTS, type IndexLine, type Manifest, PARTS } from './archive-format.ts';

/** A backup file in the making: beside its place until it is whole, synced, and renamed. */
export interface ArchiveWriter {
  add(name: string, bytes: Buffer): Promise<void>;
  /** Streams exactly `sizeBytes`; answers their SHA-256. */
  stream(name: string, body: Readable, sizeBytes: number): Promise<string>;
  /** Ends the file and puts it into its place; answers its size. @throws HangarError backup_exists */
  finish(manifest: Omit<Manifest, 'index'>): Promise<number>;
  /** Leaves nothing. */
  discard(): Promise<void>;
}

/** @throws HangarError backup_exists, backup_unwritable */
export async function createArchive(file: string, head: Head, o: { force: boolean }): Promise<ArchiveWriter> {
  if (!o.force && (await isThere(file))) throw exists(file);
  const part = `${file}.part`;
  const handle = await openPart(part);
  const pack = createPack();
  const written = pipeline(Readable.from(pack), createGzip({ level: 3 }), async (packed: AsyncIterable<Buffer>) => {
    for await (const chunk of packed) await handle.writeFile(chunk);
  });
  // Whoever adds the next part is told.
  let broken: unknown = null;
  written.catch((error: unknown) => {
    broken = unwritable(part, error);
  });
  const waiting: IndexLine[] = [];
  const indexes: { name: string; sha256: string }[] = [];

  async function put(name: string, sizeBytes: number, fill: (sink: ReturnType<typeof pack.entry>) => unknown) {
    if (broken) throw broken;
    const entry = new Promise<void>((resolve, reject) => {
      const sink = pack.entry({ name, size: sizeBytes, mode: 0o600 }, (error) => (error ? reject(error) : resolve()));
      fill(sink.on('error', reject));
    });
    await Promise.race([entry, written.then(() => entry)]).catch((error: unknown) => {
      throw broken ?? error;
    });
  }

  async function putIndex(): Promise<void> {
    if (waiting.length === 0) return;
    const name = `${PARTS.index}${indexes.length + 1}.ndjson`;
    const bytes = Buffer.from(`${waiting.map((line) => JSON.stringify(line)).join('\n')}\n`);
    waiting.length = 0;
    indexes.push({ name, sha256: sha256(bytes) });
    await put(name, bytes.length, (sink) => sink.end(bytes));
  }

  async function noted(line: IndexLine): Promise<void> {
    waiting.push(line);
    if (waiting.length >= INDEX_PARTS) await putIndex();
  }

  async function add(name: string, bytes: Buffer): Promise<void> {
    await put(name, bytes.length, (sink) => sink.end(bytes));
    await noted({ name, sizeBytes: bytes.length, sha256: sha256(bytes) });
  }

  async function discard(): Promise<void> {
    pack.destroy(new Error('given up'));
    await written.catch(() => undefined);
    await handle.close().catch(() => undefined);
    await rm(part, { force: true });
  }

  try {
    await add(PARTS.head, Buffer.from(JSON.stringify(head, null, 2)));
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    add,
    async stream(name, body, sizeBytes) {
      const hash = createHash('sha256');
      // It may break, or be given up, before it is read.
      body.on('error', () => undefined);
      await put(name, sizeBytes, async (sink) => {
        try {
          for await (const chunk of body) {
            hash.update(chunk);
            if (!sink.write(chunk)) await once(sink, 'drain');
          }
          sink.end(null);
        } catch (error) {
          sink.destroy(error instanceof Error ? error : new Error(String(error)));
        }
      }).catch((error: unknown) => {
        body.destroy();
        throw error;
      });
      const digest = hash.digest('hex');
      await noted({ name, sizeBytes, sha256: digest });
      return digest;
    },
    async finish(manifest) {
      await putIndex();
      const whole: Manifest = { ...manifest, index: indexes };
      const bytes = Buffer.from(JSON.stringify(whole, null, 2));
      await put(PARTS.manifest, bytes.length, (sink) => sink.end(bytes));
      pack.finalize();
      await written.catch((error: unknown) => {
        throw unwritable(part, error);
      });
      await handle.sync();
      const { size } = await handle.stat();
      await handle.close();
      await place(part, file, o.force);
      return size;
    },
    discard,
  };
}

async function openPart(part: string): Promise<FileHandle> {
  try {
    // Left by a backup that was killed, and readable by whoever it was made for: never written through.
    await rm(part, { force: true });
    return await open(part, 'wx', 0o600);
  } catch (cause) {
    throw unwritable(part, cause);
  }
}

/** Another file that came there meanwhile stays, unless it may be replaced. */
async function place(part: string, file: string, force: boolean): Promise<void> {
  if (force) await rename(part, file);
  else {
    await link(part, file).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EEXIST' ? exists(file) : unwritable(file, error);
    });
    await rm(part);
  }
  const folder = await open(path.dirname(path.resolve(file)), 'r');
  await folder.sync().finally(() => folder.close());
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

const exists = (file: string) => new HangarError('backup_exists', { message: `${file} is there already.` });

function unwritable(file: string, cause: unknown): HangarError {
  if (cause instanceof HangarError) return cause;
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new HangarError('disk_full', { cause });
  return new HangarError('backup_unwritable', {
    message: `${file} cannot be written: ${cause instanceof Error ? cause.message : cause}`,
    cause,
  });
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
