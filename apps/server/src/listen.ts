import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract';
import type { FastifyInstance } from 'fastify';
import { ownFolder } from './own-folder.ts';

export const hostInUrl = (host: string) => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);

/** Where port 0 is asked for, the port must be known before it is listened on: links and tokens name it. */
async function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, host, () => {
      const bound = probe.address();
      probe.close(() => resolve(typeof bound === 'object' && bound ? bound.port : 0));
    });
  });
}

/** Where a server is reached. */
export interface Address {
  readonly port: number;
  /** By people: links and tokens name it. */
  readonly url: string;
  /** By workers on this machine. */
  readonly loopback: string;
}

export async function addressOf(config: {
  readonly host: string;
  readonly port: number;
  readonly publicUrl?: string | undefined;
}): Promise<Address> {
  const { host } = config;
  const port = config.port === 0 ? await freePort(host) : config.port;
  const here = hostInUrl(['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host);
  return {
    port,
    url: config.publicUrl ?? `http://${hostInUrl(host)}:${port}`,
    loopback: `http://${here}:${port}`,
  };
}

/** A connection that the machine has no room for is lost; the server goes on with the others. */
export const outlivesLostConnections = (server: Server): Server => server.on('error', () => undefined);

export async function listen(app: FastifyInstance, config: { host: string; port: number }): Promise<void> {
  try {
    await app.listen({ host: config.host, port: config.port });
    outlivesLostConnections(app.server);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new HangarError('port_in_use', {
        message: `Port ${config.port} of ${config.host} is taken.`,
        cause: error,
      });
    if (code === 'EADDRNOTAVAIL' || code === 'EACCES')
      throw new HangarError('config_invalid', {
        message: `Cannot listen on ${config.host}:${config.port}: ${code}`,
        cause: error,
      });
    throw error;
  }
}

/** Also as those read it who resolve its dots: /api/worker/../jobs is none. */
const isForWorkers = (url: string): boolean =>
  url.startsWith('/api/worker/') &&
  URL.canParse(url, 'http://worker') &&
  new URL(url, 'http://worker').pathname.startsWith('/api/worker/');

/** Containers on this machine reach a server on loopback through a socket in a folder that is mounted into them. It serves workers only. */
export async function listenForWorkers(app: FastifyInstance, folder: string): Promise<Server> {
  await ownFolder(folder, 0o711);
  const path = join(folder, 'worker.sock');
  await rm(path, { force: true });
  const server = createServer((request, response) => {
    if (isForWorkers(request.url ?? '')) app.routing(request, response);
    else response.writeHead(404).end();
  });
  const old = process.umask(0o111);
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  } finally {
    process.umask(old);
  }
  return outlivesLostConnections(server);
}

const LOOK_MS = 100;

/**
 * Takes no more connections, answers what is in hand, and lets go of connections as they fall idle: Node would keep one that was busy
 * at the beginning for more than a minute after its answer. Once the signal aborts, whoever is left is cut off.
 *
 * @param close what closes these servers; it resolves when their last connection has gone
 */
export async function endServers(
  servers: readonly Server[],
  close: () => Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const letGo = () => {
    for (const server of servers) {
      if (signal?.aborted) server.closeAllConnections();
      else server.closeIdleConnections();
    }
  };
  const looking = setInterval(letGo, LOOK_MS);
  signal?.addEventListener('abort', letGo, { once: true });
  try {
    await close();
  } finally {
    clearInterval(looking);
    signal?.removeEventListener('abort', letGo);
  }
}

/** Resolves when the last connection has gone. */
export const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
