import type { Stats } from 'node:fs';
import { chmod, link, lstat, mkdir, open, symlink, unlink, utimes } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { HangarError } from '@hangar/contract/errors';
import { decodePath, showPath } from '@hangar/contract/path-bytes';
import { extract, type Header } from 'tar-stream';

const SLASH = Buffer.from('/');

/**
 * Unpacks a tar archive into a folder that is there. Nothing is written outside of it: what leads out, or through a link, is refused.
 * Names are bytes.
 * @throws HangarError tar_refused, tar_invalid, path_in_the_way; what its source throws
 */
export async function unpack(source: AsyncIterable<Uint8Array>, root: Buffer, signal: AbortSignal): Promise<void> {
  const parser = extract({ filenameEncoding: 'latin1' } as Parameters<typeof extract>[0]);
  const folders: { path: Buffer; mode: number }[] = [];
  let broken: unknown = null;
  const reading = pipeline(source, parser, { signal }).catch((error: unknown) => {
    broken = error;
  });
  try {
    for await (const entry of parser) {
      await place(entry.header, entry, root, folders);
      entry.resume();
    }
  } catch (error) {
    parser.destroy();
    await reading;
    throw error instanceof HangarError ? error : becauseOf(broken ?? error);
  }
  await reading;
  if (broken !== null) throw becauseOf(broken);
  // A folder that may not be written to gets its mode when it is filled.
  for (const { path, mode } of folders.reverse()) await chmod(path, mode);
}

function becauseOf(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  // Those of files and connections have a code.
  return error instanceof HangarError || typeof code === 'string'
    ? error
    : new HangarError('tar_invalid', { message: 'What came is no whole tar archive.', cause: error });
}

async function place(
  header: Header,
  body: AsyncIterable<unknown>,
  root: Buffer,
  folders: { path: Buffer; mode: number }[],
) {
  const pax = header.pax as Record<string, string> | null | undefined;
  const name = bytesOf(header.name, pax?.path);
  const refuse = (what: string) =>
    new HangarError('tar_refused', { message: `${showPath(decodePath(name))}: ${what}` });
  const parts = partsOf(name);
  if (parts === null) throw refuse('leads out of the folder');
  const path = await below(root, parts, refuse, true);
  const mode = header.mode & 0o777;
  switch (header.type) {
    case 'directory': {
      if (!(await there(path))?.isDirectory()) {
        await makeWay(path);
        await mkdir(path);
      }
      folders.push({ path, mode });
      return;
    }
    case 'file':
    case 'contiguous-file': {
      await makeWay(path);
      const file = await open(path, 'wx', 0o600);
      await pipeline(body, file.createWriteStream());
      await chmod(path, mode);
      await utimes(path, header.mtime, header.mtime);
      return;
    }
    case 'symlink':
      await makeWay(path);
      return symlink(bytesOf(header.linkname, pax?.linkpath), path);
    case 'link': {
      const target = partsOf(bytesOf(header.linkname, pax?.linkpath));
      if (target === null) throw refuse('is a link to what is outside of the folder');
      const linked = await below(root, target, refuse, false);
      if (!(await there(linked))?.isFile()) throw refuse('is a link to no file of the archive');
      await makeWay(path);
      return link(linked, path);
    }
    default:
      throw refuse('is no file, folder or link');
  }
}

/** Extended headers are UTF-8; what stands in the header itself was read byte by byte. */
const bytesOf = (text: string, extended: string | undefined): Buffer =>
  extended === undefined ? Buffer.from(text, 'latin1') : Buffer.from(extended);

/** Null when it is absolute or goes up. */
function partsOf(name: Buffer): Buffer[] | null {
  const text = name.toString('latin1');
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (text.startsWith('/') || parts.includes('..') || text.includes('\0')) return null;
  return parts.map((part) => Buffer.from(part, 'latin1'));
}

/** The path of a thing whose folders are folders, not links; they are made where that is asked for. */
async function below(root: Buffer, parts: readonly Buffer[], refuse: (what: string) => HangarError, make: boolean) {
  let path = root;
  for (const [index, part] of parts.entries()) {
    path = Buffer.concat([path, SLASH, part]);
    if (index === parts.length - 1) break;
    const found = await there(path);
    if (found === null && make) await mkdir(path);
    else if (!found?.isDirectory()) throw refuse('leads through what is no folder');
  }
  return path;
}

/** What is there is replaced, but for a folder. */
async function makeWay(path: Buffer): Promise<void> {
  const found = await there(path);
  if (found === null) return;
  if (found.isDirectory())
    throw new HangarError('path_in_the_way', { message: `${showPath(decodePath(path))} is a folder here.` });
  await unlink(path);
}

const there = (path: Buffer): Promise<Stats | null> =>
  lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
