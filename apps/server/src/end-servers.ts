import type { Server } from 'node:http';

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
