import { createHash } from 'node:crypto';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fromWire, HangarError, toWire } from '@hangar/contract';

/** sun_path holds 107 bytes; a data directory may lie deeper than that. */
const LONGEST_SOCKET = 100;

/** Folder of the server's sockets, only for its own user. */
export function socketFolder(dataDir: string): string {
  const beside = join(dataDir, 'run');
  if (join(beside, 'control.sock').length <= LONGEST_SOCKET) return beside;
  return join(tmpdir(), `hangar-${userInfo().uid}-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`);
}

export type Control = Readonly<Record<string, () => Promise<unknown>>>;

/**
 * Lets commands on the server's own machine ask the running server: `POST /<verb>` on a socket that only its user can open. Being
 * able to open it is the proof; whoever can could read the data directory too.
 */
export async function serveControl(folder: string, control: Control): Promise<Server> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'control.sock');
  await rm(path, { force: true });
  const server = createServer((request, response) => {
    const verb = control[(request.url ?? '').slice(1)];
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
  return server;
}

/** Asks the server that runs on this data directory. Null when none answers there. */
export function askServer(dataDir: string, verb: string, signal: AbortSignal): Promise<unknown> {
  const socketPath = join(socketFolder(dataDir), 'control.sock');
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path: `/${verb}`, method: 'POST', signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const body: unknown = JSON.parse(text);
        if (response.statusCode === 200) resolve(body);
        else reject(fromWire(body) ?? new HangarError('internal'));
      });
    });
    request.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? resolve(null) : reject(error),
    );
    request.end();
  });
}

export const workerSocketFolder = (dataDir: string): string => join(socketFolder(dataDir), 'worker');
