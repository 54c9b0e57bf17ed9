import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Answer, refuse } from './answers.ts';

const BOUNDARY = 'DAYTONA-FILE-BOUNDARY';

export interface SandboxFiles {
  /** Null: no route of files. */
  answer(method: string, route: string, query: URLSearchParams, type: string, body: Buffer): Promise<Answer | null>;
}

/** Files of a fake sandbox: those of its folder and of /tmp; nothing else of this machine can be reached through it. */
export function createSandboxFiles(o: { folder: string }): SandboxFiles {
  const place = (given: string | null): string | Answer => {
    if (given === null || given === '') return refuse(400, 'path is required', 'INVALID_FILE_PATH');
    const full = path.resolve(o.folder, given);
    const isInside = [o.folder, '/tmp'].some((root) => full === root || full.startsWith(`${root}/`));
    return isInside ? full : refuse(403, `permission denied: ${given}`, 'FILE_ACCESS_DENIED');
  };
  const noFile = (file: string) => refuse(404, `no such file or directory: ${file}`, 'FILE_NOT_FOUND');
  const isAnswer = (value: string | Answer): value is Answer => typeof value !== 'string';

  async function info(file: string) {
    const seen = await stat(file);
    return {
      ...{ name: path.basename(file), path: file, isDir: seen.isDirectory(), size: seen.size, owner: 'daytona' },
      ...{
        group: 'daytona',
        mode: seen.mode.toString(8),
        permissions: (seen.mode & 0o777).toString(8).padStart(4, '0'),
      },
      ...{ modTime: String(seen.mtime), modifiedAt: seen.mtime.toISOString() },
    };
  }

  async function upload(type: string, body: Buffer): Promise<Answer> {
    const boundary = /^multipart\/form-data;.*boundary="?([^";]+)"?/i.exec(type)?.[1];
    const parts = boundary === undefined ? null : multipart(body, boundary);
    if (parts === null) return { status: 400, body: { errors: ['invalid multipart form'] } };
    const paths = new Map<string, string>();
    const errors: string[] = [];
    const files: { path: string; bytes: number }[] = [];
    for (const { name, bytes } of parts) {
      const [, index = '', kind] = /^files\[(\d+)\]\.(path|file)$/.exec(name) ?? [];
      if (kind === 'path') paths.set(index, bytes.toString('utf8').trim());
      if (kind !== 'file') continue;
      const to = place(paths.get(index) ?? null);
      if (isAnswer(to)) {
        errors.push(`file[${index}]: missing .path metadata or no right to write there`);
        continue;
      }
      await mkdir(path.dirname(to), { recursive: true });
      const temporary = path.join(path.dirname(to), `.daytona-upload-${randomUUID()}`);
      await writeFile(temporary, bytes, { mode: 0o644 });
      await rename(temporary, to);
      files.push({ path: to, bytes: bytes.length });
    }
    return errors.length > 0 ? { status: 400, body: { errors, files } } : { status: 200, body: { files } };
  }

  async function download(body: unknown): Promise<Answer> {
    const paths: unknown = Object(body).paths;
    if (!Array.isArray(paths) || paths.length === 0) return refuse(400, 'request body must be {"paths": [ ... ]}');
    const chunks: Buffer[] = [];
    const part = (field: string, file: string, type: string, bytes: Buffer) =>
      chunks.push(
        Buffer.from(
          `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${field}"; filename="${file}"\r\nContent-Type: ${type}\r\n\r\n`,
        ),
        bytes,
        Buffer.from('\r\n'),
      );
    for (const given of paths.map(String)) {
      const from = place(given);
      const bytes = isAnswer(from) ? null : await readFile(from).catch(() => null);
      if (bytes !== null) part('file', given, 'application/octet-stream', bytes);
      else part('error', given, 'text/plain; charset=utf-8', Buffer.from(`file not found or invalid: ${given}`));
    }
    chunks.push(Buffer.from(`--${BOUNDARY}--\r\n`));
    const type = `multipart/form-data; boundary=${BOUNDARY}`;
    return { status: 200, raw: { type, bytes: Buffer.concat(chunks) } };
  }

  async function move(query: URLSearchParams): Promise<Answer> {
    const [from, to] = [place(query.get('source')), place(query.get('destination'))];
    if (isAnswer(from)) return from;
    if (isAnswer(to)) return to;
    if ((await there(from)) === null) return noFile(from);
    if ((await there(path.dirname(to))) === null) return noFile(path.dirname(to));
    if ((await there(to)) !== null) return refuse(409, 'destination already exists');
    await rename(from, to);
    return { status: 200 };
  }

  return {
    async answer(method, route, query, type, body) {
      if (route === '/files/bulk-upload' && method === 'POST') return upload(type, body);
      if (route === '/files/bulk-download' && method === 'POST') {
        if (!/^application\/json/i.test(type)) return refuse(415, 'Content-Type must be application/json');
        return download(json(body));
      }
      if (route === '/files/move' && method === 'POST') return move(query);
      if (!/^\/files(\/(info|folder|permissions))?$/.test(route)) return null;
      const file = place(query.get('path'));
      if (isAnswer(file)) return file;
      if (route === '/files/folder' && method === 'POST') {
        const mode = query.get('mode') ?? '';
        if (!/^[0-7]{3,4}$/.test(mode)) return refuse(400, 'invalid mode');
        await mkdir(file, { recursive: true, mode: Number.parseInt(mode, 8) });
        return { status: 201 };
      }
      if ((await there(file)) === null) return noFile(file);
      if (route === '/files/info' && method === 'GET') return { status: 200, body: await info(file) };
      if (route === '/files/permissions' && method === 'POST') {
        const mode = query.get('mode') ?? '';
        if (!/^[0-7]{3,4}$/.test(mode)) return refuse(400, 'invalid mode');
        await chmod(file, Number.parseInt(mode, 8));
        return { status: 200 };
      }
      if (route === '/files' && method === 'GET') {
        const names = await readdir(file).catch(() => null);
        if (names === null) return refuse(400, `${file} is not a directory`);
        return { status: 200, body: await Promise.all(names.map((name) => info(path.join(file, name)))) };
      }
      if (route === '/files' && method === 'DELETE') {
        const isFolder = (await there(file))?.isDirectory() ?? false;
        if (isFolder && query.get('recursive') !== 'true')
          return refuse(400, 'cannot delete directory without recursive flag');
        await rm(file, { recursive: isFolder });
        return { status: 204 };
      }
      return null;
    },
  };
}

const there = (file: string) => stat(file).catch(() => null);

export function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}

/** Null: it is not whole. */
function multipart(body: Buffer, boundary: string): { name: string; bytes: Buffer }[] | null {
  const parts: { name: string; bytes: Buffer }[] = [];
  const line = Buffer.from(`--${boundary}`);
  const between = Buffer.from(`\r\n--${boundary}`);
  let at = body.indexOf(line);
  while (at !== -1) {
    const after = at + line.length;
    if (body.subarray(after, after + 2).toString() === '--') return parts;
    const head = body.indexOf('\r\n\r\n', after);
    const end = head === -1 ? -1 : body.indexOf(between, head + 4);
    if (end === -1) return null;
    const name = /name="([^"]*)"/.exec(body.subarray(after, head).toString('utf8'))?.[1] ?? '';
    parts.push({ name, bytes: body.subarray(head + 4, end) });
    at = end + 2;
  }
  return null;
}
