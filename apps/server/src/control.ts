import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fromWire, HangarError, toWire } from '@hangar/contract';
import { outlivesLostConnections } from './listen.ts';
import { ownFolder } from './own-folder.ts';

/** sun_path holds 107 bytes; a data directory may lie deeper than that. */
const LONGEST_SOCKET = 100;
const LONGEST_NAME = 'control-4194304.sock';

/** Folder of the server's sockets, only for its own user. */
export function socketFolder(dataDir: string): string {
  const beside = join(dataDir, 'run');
  if (join(beside, LONGEST_NAME).length <= LONGEST_SOCKET) return beside;
  return join(tmpdir(), `hangar-${userInfo().uid}-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`);
}

/** @throws HangarError data_dir_unusable */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await ownFolder(socketFolder(dataDir), 0o700);
  } catch (cause) {
    if (cause instanceof HangarError) throw cause;
    throw new HangarError('data_dir_unusable', {
      message: `The data directory ${dataDir} cannot be made: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    });
  }
}

export type Control = Readonly<Record<string, () => Promise<unknown>>>;

const SOCKET = /^control-\d+\.sock$/;

/**
 * Lets commands on the server's own machine ask the running server: `POST /<verb>` on a socket that only its user can open. Being
 * able to open it is the proof; whoever can could read the data directory too.
 */
export async function serveControl(folder: string, control: Control): Promise<Server> {
  await ownFolder(folder, 0o700);
  // A name of its own: servers on a database of yours may share a data directory.
  const path = join(folder, `control-${process.pid}.sock`);
  await rm(path, { force: true });
  const server = createServer((request, response) => {
    const name = (request.url ?? '').slice(1);
    const verb = Object.hasOwn(control, name) ? control[name] : undefined;
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.method !== 'POST' || !verb) {
      answer(404, toWire(new HangarError('route_not_found')));
      return;
    }
    verb().then(
      (value) => answer(200, value),
      (error: unknown) => {
        const known = error instanceof HangarError ? error : new HangarError('internal');
        answer(known.status, toWire(known));
      },
    );
  });
  const old = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(old);
  }
  await chmod(path, 0o600);
  return outlivesLostConnections(server);
}

/**
 * Asks a server that runs on this data directory. Null when none answers there.
 * @throws HangarError data_dir_unusable: what answers there could be anybody's
 */
export async function askServer(dataDir: string, verb: string, signal: AbortSignal): Promise<unknown> {
  const folder = socketFolder(dataDir);
  const names = await readdir(folder).catch(() => []);
  if (names.length > 0) await ownFolder(folder, 0o700);
  for (const name of names.filter((each) => SOCKET.test(each))) {
    const path = join(folder, name);
    const answer = await ask(path, verb, signal);
    if (answer !== null) return answer;
    if (!isAlive(Number(/\d+/.exec(name)?.[0]))) await rm(path, { force: true });
  }
  return null;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function ask(socketPath: string, verb: string, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path: `/${verb}`, method: 'POST', signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const body = parsed(text);
        if (response.statusCode === 200 && body !== undefined) resolve(body);
        else reject(fromWire(body) ?? new HangarError('internal'));
      });
    });
    request.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? resolve(null) : reject(error),
    );
    request.end();
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const workerSocketFolder = (dataDir: string): string => join(socketFolder(dataDir), 'worker');
