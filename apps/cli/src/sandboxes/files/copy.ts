import { createReadStream, createWriteStream, type Stats } from 'node:fs';
import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HangarError } from '@hangar/contract/errors';
import { decodePath, encodePath, showPath } from '@hangar/contract/path-bytes';
import { formatBytes } from '@hangar/contract/words/size';
import type { Cli } from '../../cli.ts';
import type { Api } from '../../server/api.ts';
import { pack } from './pack.ts';
import { type RemotePath, remoteFiles } from './remote-files.ts';
import { unpack } from './unpack.ts';

export interface Copied {
  /** Where it is now, for people. */
  readonly to: string;
  readonly bytes: number;
}

const PIECE_BYTES = 256 * 1024;

/** @param what the stat of what is here; of standard input whether it is a file or a tar archive */
export async function copyTo(
  cli: Cli,
  api: Api,
  from: string,
  to: RemotePath,
  what: Stats | 'file' | 'tar',
): Promise<Copied> {
  const files = remoteFiles(api);
  const here = resolve(cli.settings.cwd, from);
  const isFolder = what === 'tar' || (typeof what !== 'string' && what.isDirectory());
  const target = typeof what === 'string' || /(^|\/)\.$/.test(from) ? to : await into(files, to, here, isFolder);
  const counted = counting(cli, `Copying ${from}`);
  const source = () =>
    typeof what === 'string'
      ? (cli.stdin as Readable)
      : isFolder
        ? pack(here, cli.settings.env)
        : createReadStream(here, { highWaterMark: PIECE_BYTES });
  try {
    const sent = { body: () => counted.through(source()), once: typeof what === 'string' };
    if (isFolder) await files.upload(target, sent);
    else await files.write(target, { ...sent, ...(typeof what === 'string' ? {} : { mode: what.mode & 0o777 }) });
  } finally {
    counted.done();
  }
  return { to: `${target.sandbox}:${target.path}`, bytes: counted.bytes() };
}

/** Below a folder that is there, under its own name. */
async function into(files: ReturnType<typeof remoteFiles>, to: RemotePath, here: string, isFolder: boolean) {
  const found = await files.find(to);
  if (found?.type === 'folder') return { ...to, path: `${found.path.replace(/\/+$/, '')}/${basename(here)}` };
  if (found !== null && isFolder)
    throw new HangarError('path_in_the_way', { message: `${found.path} is no folder in ${to.sandbox}.` });
  if (found === null && !isFolder && to.path.endsWith('/'))
    throw new HangarError('file_not_found', {
      message: `There is no folder ${showPath(to.path)} in ${to.sandbox}.`,
      wayOut: `Make it first: hangar sandbox exec ${to.sandbox} -- mkdir -p ${to.path}`,
    });
  return to;
}

export async function copyFrom(
  cli: Cli,
  api: Api,
  from: RemotePath,
  to: string,
  isRecursive: boolean,
): Promise<Copied> {
  const files = remoteFiles(api);
  const shown = `${from.sandbox}:${showPath(from.path)}`;
  const found = await files.find(from);
  if (found === null) throw new HangarError('file_not_found', { message: `There is no ${shown}.` });
  const isFolder = found.type === 'folder';
  if (isFolder && !isRecursive)
    throw new HangarError('usage', {
      message: `${shown} is a folder.`,
      wayOut: `Copy it with all that is in it: hangar cp -r ${shown} ${to}`,
    });
  const source = { ...from, path: found.path };
  const counted = counting(cli, `Copying ${shown}`);
  try {
    const body = counted.pieces(await (isFolder ? files.download(source) : files.read(source)));
    if (to === '-') {
      for await (const piece of body) await cli.terminal.write(piece);
      return { to, bytes: counted.bytes() };
    }
    const target = await targetOf(resolve(cli.settings.cwd, to), from.path, isFolder);
    if (isFolder) {
      await mkdir(target, { recursive: true });
      await unpack(body, target, cli.signal);
    } else await writeWhole(target, body, found.mode & 0o777, cli.signal);
    return { to: showPath(decodePath(target)), bytes: counted.bytes() };
  } finally {
    counted.done();
  }
}

/** Into a folder that is there it goes under the name that was asked for, as bytes: never one that the machine chose. */
async function targetOf(here: string, asked: string, isFolder: boolean): Promise<Buffer> {
  const name = asked.split('/').findLast((part) => part !== '');
  const isThere = (await stat(here).catch(() => null))?.isDirectory() === true;
  if (!isThere || name === undefined || name === '.' || name === '..') {
    if (isThere && !isFolder) throw new HangarError('path_in_the_way', { message: `${here} is a folder.` });
    return Buffer.from(here);
  }
  return Buffer.concat([Buffer.from(`${here}/`), encodePath(name)]);
}

async function writeWhole(target: Buffer, body: AsyncIterable<Uint8Array>, mode: number, signal: AbortSignal) {
  const part = Buffer.concat([target, Buffer.from(`.${process.pid}.part`)]);
  try {
    await pipeline(Readable.from(body), createWriteStream(part, { flags: 'wx', mode: 0o600 }), { signal });
    await chmod(part, mode);
    await rename(part, target);
  } finally {
    await rm(part, { force: true });
  }
}

/** Counts what passes, and shows it. */
function counting(cli: Cli, label: string) {
  const progress = cli.terminal.progress(label);
  let bytes = 0;
  const count = (length: number) => {
    bytes += length;
    progress.update(`${label}: ${formatBytes(bytes)}`);
  };
  return {
    /** From the start again for each try. */
    through(source: Readable): Readable {
      bytes = 0;
      const passing = new Transform({
        highWaterMark: PIECE_BYTES,
        transform(piece: Uint8Array, _encoding, next) {
          count(piece.length);
          next(null, piece);
        },
      });
      source.on('error', (error) => passing.destroy(error));
      passing.once('close', () => {
        if (source !== cli.stdin) source.destroy();
      });
      return source.pipe(passing);
    },
    async *pieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const piece of source) {
        count(piece.length);
        yield piece;
      }
    },
    bytes: () => bytes,
    done: () => progress.done(),
  };
}
