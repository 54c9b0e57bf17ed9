import {
  createReadStream,
  createWriteStream,
  existsSync,
  lstatSync,
  readlinkSync,
  type Stats,
  statSync,
} from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import { json, RpcError, readBody } from './connect-protocol.ts';
import { type FakeSandbox, homeOf, isAccount } from './sandbox.ts';

const Path = z.strictObject({ path: z.string().default('') });
const ListDir = z.strictObject({ path: z.string().default(''), depth: z.int().default(1) });
const Move = z.strictObject({ source: z.string(), destination: z.string() });

/** As envd: `~` is the home, what is relative begins there, and what is absolute is what it is. */
function resolve(sandbox: FakeSandbox, account: string, given: string): string {
  const home = homeOf(sandbox, account);
  if (/^~[^/]/.test(given)) throw new RpcError('invalid_argument', 'cannot expand user-specific home dir');
  return path.resolve(home, given.replace(/^~/, home));
}

function entryOf(file: string): object {
  let stat: Stats;
  try {
    stat = lstatSync(file);
  } catch {
    throw new RpcError('not_found', `file not found: stat ${file}: no such file or directory`);
  }
  const kind = stat.isSymbolicLink() ? 'SYMLINK' : stat.isDirectory() ? 'DIRECTORY' : 'FILE';
  return {
    name: path.basename(file),
    ...{ type: `FILE_TYPE_${kind}`, path: file, size: String(stat.size), mode: stat.mode & 0o7777 },
    ...{ permissions: (stat.mode & 0o777).toString(8), owner: String(stat.uid), group: String(stat.gid) },
    modifiedTime: stat.mtime.toISOString(),
    ...(stat.isSymbolicLink() ? { symlinkTarget: readlinkSync(file) } : {}),
  };
}

/** The unary calls of filesystem.Filesystem, but for those that watch. */
export const FILESYSTEM: Readonly<
  Record<string, (s: FakeSandbox, account: string, message: unknown) => Promise<unknown>>
> = {
  async Stat(sandbox, account, message) {
    return { entry: entryOf(resolve(sandbox, account, read(Path, message).path)) };
  },
  async MakeDir(sandbox, account, message) {
    const folder = resolve(sandbox, account, read(Path, message).path);
    if (existsSync(folder)) {
      const isFolder = statSync(folder).isDirectory();
      throw new RpcError(isFolder ? 'already_exists' : 'invalid_argument', `already exists: ${folder}`);
    }
    await mkdir(folder, { recursive: true });
    return { entry: entryOf(folder) };
  },
  async Move(sandbox, account, message) {
    const { source, destination } = read(Move, message);
    const [from, to] = [resolve(sandbox, account, source), resolve(sandbox, account, destination)];
    await mkdir(path.dirname(to), { recursive: true });
    await rename(from, to).catch((error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      throw new RpcError(
        missing ? 'not_found' : 'internal',
        `${missing ? 'source file not found' : 'error renaming'}: ${error.message}`,
      );
    });
    return { entry: entryOf(to) };
  },
  async Remove(sandbox, account, message) {
    await rm(resolve(sandbox, account, read(Path, message).path), { recursive: true, force: true });
    return {};
  },
  async ListDir(sandbox, account, message) {
    const { path: given, depth } = read(ListDir, message);
    const top = resolve(sandbox, account, given);
    if (!existsSync(top)) throw new RpcError('not_found', `path not found: ${top}`);
    if (!statSync(top).isDirectory()) throw new RpcError('invalid_argument', `path is not a directory: ${top}`);
    const walk = async (folder: string, left: number): Promise<object[]> => {
      const found = await readdir(folder, { withFileTypes: true });
      const below = found.map(async (one) => {
        const at = path.join(folder, one.name);
        return [entryOf(at), ...(one.isDirectory() && left > 1 ? await walk(at, left - 1) : [])];
      });
      return (await Promise.all(below)).flat();
    };
    return { entries: await walk(top, depth || 1) };
  },
};

export function read<T extends z.ZodType>(schema: T, message: unknown): z.infer<T> {
  const parsed = schema.safeParse(message);
  if (!parsed.success) throw new RpcError('invalid_argument', `unmarshal message: ${parsed.error.message}`);
  return parsed.data;
}

/** GET and POST /files. */
export async function serveFiles(
  sandbox: FakeSandbox,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const refuse = (status: number, message: string) => json(response, status, { code: status, message });
  const strange = [...url.searchParams.keys()].find((name) => name !== 'path' && name !== 'username');
  if (strange !== undefined) return refuse(400, `unknown query parameter '${strange}'`);
  // Without a signature, which nothing here makes, only the token lets in.
  if (request.headers['x-access-token'] !== sandbox.token) return refuse(401, 'missing signature query parameter');
  const account = url.searchParams.get('username') ?? 'user';
  if (!isAccount(account)) return refuse(401, `error looking up user '${account}'`);
  const given = url.searchParams.get('path');
  if (request.method === 'GET') return download(resolve(sandbox, account, given ?? ''), request, response, refuse);
  const type = request.headers['content-type'] ?? '';
  const body = request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request;
  if (type.startsWith('application/octet-stream')) {
    if (given === null) return refuse(400, 'path query parameter is required for raw body upload');
    return store([{ file: resolve(sandbox, account, given), body }], response, refuse);
  }
  if (!type.startsWith('multipart/')) {
    return refuse(400, `unsupported content type: ${type}, expected multipart/form-data or application/octet-stream`);
  }
  const form = await new Response(new Uint8Array(await readBody(request)), {
    headers: { 'Content-Type': type },
  }).formData();
  const parts = form.getAll('file').filter((part) => typeof part !== 'string');
  const files = parts.map((part) => ({
    file: resolve(sandbox, account, given ?? part.name),
    body: Readable.fromWeb(part.stream() as Parameters<typeof Readable.fromWeb>[0]),
  }));
  if (new Set(files.map(({ file }) => file)).size < files.length) {
    return refuse(400, 'you cannot upload multiple files to the same path in one upload request');
  }
  return store(files, response, refuse);
}

async function store(
  files: readonly { file: string; body: Readable }[],
  response: ServerResponse,
  refuse: (status: number, message: string) => void,
): Promise<void> {
  for (const { file, body } of files) {
    if (existsSync(file) && statSync(file).isDirectory()) return refuse(400, `path is a directory: ${file}`);
    try {
      await mkdir(path.dirname(file), { recursive: true });
      await pipeline(body, createWriteStream(file));
    } catch (error) {
      const full = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
      const why = error instanceof Error ? error.message : String(error);
      return refuse(full ? 507 : 500, full ? 'not enough disk space available' : `error writing file: ${why}`);
    }
  }
  json(
    response,
    200,
    files.map(({ file }) => ({ path: file, name: path.basename(file), type: 'file' })),
  );
}

async function download(
  file: string,
  request: IncomingMessage,
  response: ServerResponse,
  refuse: (status: number, message: string) => void,
): Promise<void> {
  if (!existsSync(file)) return refuse(404, `path '${file}' does not exist`);
  if (statSync(file).isDirectory()) return refuse(400, `path '${file}' is a directory`);
  const packed = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    ...(packed ? { 'Content-Encoding': 'gzip' } : { 'Content-Length': statSync(file).size }),
  });
  const source = createReadStream(file);
  // Who reads may leave in the middle.
  await (packed ? pipeline(source, createGzip(), response) : pipeline(source, response)).catch(() => undefined);
}
