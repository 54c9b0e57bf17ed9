import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { HangarError } from '@hangar/contract';
import { extract as createExtract } from 'tar-stream';
import { z } from 'zod';
import { FORMAT, Head, IndexLine, Manifest, PARTS } from './archive-format.ts';

/** What is done with each part. Bytes that were handed out are proved only when the whole file has been read. */
export interface ArchiveVisitor {
  head?(head: Head): Promise<void>;
  rows?(table: string, rows: readonly string[]): Promise<void>;
  /** Has to read the body to its end. */
  blob?(key: string, body: Readable): Promise<void>;
  /** Bytes of the file that have been read. */
  progress?(bytes: number): void;
}

/**
 * Reads a backup file from end to end and proves it: every part by size and hash, the number of rows and files, and its end.
 * @throws HangarError backup_unreadable
 */
export async function readArchive(
  file: string,
  visitor: ArchiveVisitor,
  signal: AbortSignal,
): Promise<{ head: Head; manifest: Manifest }> {
  const extract = createExtract();
  const source = createReadStream(file);
  let read = 0;
  source.on('data', (chunk) => {
    read += chunk.length;
    visitor.progress?.(read);
  });
  let broken: unknown = null;
  const reading = pipeline(source, createGunzip(), extract, { signal }).catch((error: unknown) => {
    broken = error;
  });
  const proof = createProof();
  let refused: { error: unknown } | null = null;
  const visit = async (work: Promise<void> | undefined): Promise<void> => {
    await work?.catch((error: unknown) => {
      refused = { error };
      throw error;
    });
  };
  try {
    for await (const entry of extract) {
      const { name } = entry.header;
      const hash = createHash('sha256');
      let sizeBytes = 0;
      const body = Readable.from(
        (async function* () {
          for await (const chunk of entry as AsyncIterable<Buffer>) {
            hash.update(chunk);
            sizeBytes += chunk.length;
            yield chunk;
          }
        })(),
        { objectMode: false },
      );
      proof.begin(name);
      if (name.startsWith(PARTS.blobs) && visitor.blob) await visit(visitor.blob(name.slice(PARTS.blobs.length), body));
      else if (name.startsWith(PARTS.blobs)) await finished(body.resume());
      else {
        const bytes = await buffer(body);
        const part = proof.read(name, bytes);
        if (part?.head) await visit(visitor.head?.(part.head));
        if (part?.rows) await visit(visitor.rows?.(part.table, part.rows));
      }
      proof.end({ name, sizeBytes, sha256: hash.digest('hex') });
    }
    await reading;
    if (broken) throw broken;
    return proof.whole();
  } catch (error) {
    extract.destroy();
    source.destroy();
    await reading;
    signal.throwIfAborted();
    if (refused !== null) throw (refused as { error: unknown }).error;
    throw unreadable(file, broken ?? error);
  }
}

/** Follows the parts as they come and compares them with what the file says of itself. */
function createProof() {
  let head: Head | null = null;
  let manifest: Manifest | null = null;
  let waiting: IndexLine[] = [];
  const indexes: { name: string; sha256: string }[] = [];
  const rowsOf: Record<string, number> = {};
  let files = 0;
  let fileBytes = 0;
  let named = '';

  return {
    begin(name: string): void {
      if (manifest !== null) throw invalid('there is something after its end');
      if (head === null && name !== PARTS.head) throw invalid('it is not a backup of Hangar');
      named = name;
    },
    read(name: string, bytes: Buffer): { head?: Head; table: string; rows?: string[] } | null {
      if (name === PARTS.head) {
        const found = parsed(Head, bytes);
        if (found.format !== FORMAT)
          throw new HangarError('backup_unreadable', {
            message: `The backup is of format ${found.format}, made by Hangar ${found.version}; this one reads format ${FORMAT}.`,
            wayOut: 'Restore it with that version or a newer one.',
          });
        head = found;
        return { head: found, table: '' };
      } else if (name === PARTS.manifest) manifest = parsed(Manifest, bytes);
      else if (name.startsWith(PARTS.index)) {
        const lines = linesOf(bytes).map((line) => IndexLine.parse(JSON.parse(line)));
        if (JSON.stringify(lines) !== JSON.stringify(waiting)) throw invalid(`its parts are not those of ${name}`);
        waiting = [];
        indexes.push({ name, sha256: createHash('sha256').update(bytes).digest('hex') });
      } else {
        const table = /^tables\/([a-z_]+)\/\d+\.ndjson$/.exec(name)?.[1];
        if (table === undefined) throw invalid(`it has a part that does not belong there: ${name.slice(0, 100)}`);
        const rows = linesOf(bytes);
        rowsOf[table] = (rowsOf[table] ?? 0) + rows.length;
        return { table, rows };
      }
      return null;
    },
    end(line: IndexLine): void {
      if (named.startsWith(PARTS.index) || named === PARTS.manifest) return;
      waiting.push(line);
      if (!named.startsWith(PARTS.blobs)) return;
      files += 1;
      fileBytes += line.sizeBytes;
    },
    whole(): { head: Head; manifest: Manifest } {
      if (head === null || manifest === null) throw invalid('its end is missing');
      const told = {
        index: indexes,
        files,
        fileBytes,
        tables: { ...Object.fromEntries(Object.keys(manifest.tables).map((table) => [table, 0])), ...rowsOf },
      };
      const { index, tables } = manifest;
      const said = { index, files: manifest.files, fileBytes: manifest.fileBytes, tables };
      if (waiting.length > 0 || JSON.stringify(told) !== JSON.stringify(said))
        throw invalid('it does not hold what it says');
      return { head, manifest };
    },
  };
}

const linesOf = (bytes: Buffer): string[] =>
  bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');

function parsed<T>(schema: z.ZodType<T>, bytes: Buffer): T {
  return schema.parse(JSON.parse(bytes.toString('utf8')));
}

const invalid = (why: string) => new Error(why);

function unreadable(file: string, cause: unknown): unknown {
  if (cause instanceof HangarError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ENOENT') return new HangarError('backup_unreadable', { message: `There is no file ${file}.`, cause });
  if (['EACCES', 'EISDIR', 'EIO'].includes(code))
    return new HangarError('backup_unreadable', { message: `${file} cannot be read: ${code}.`, cause });
  return new HangarError('backup_unreadable', {
    message: `${file} is not a whole backup: ${why(cause, code)}.`,
    cause,
  });
}

function why(cause: unknown, code: string): string {
  if (code === 'Z_DATA_ERROR') return 'its bytes are damaged, or it is not a backup';
  if (code === 'Z_BUF_ERROR') return 'its end is missing';
  if (cause instanceof z.ZodError || cause instanceof SyntaxError) return 'a part of it cannot be understood';
  const message = cause instanceof Error ? cause.message : String(cause);
  return /unexpected end of data/i.test(message) ? 'its end is missing' : message.replace(/\.$/, '');
}
