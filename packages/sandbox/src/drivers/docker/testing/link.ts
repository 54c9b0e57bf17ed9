import { once } from 'node:events';
import net from 'node:net';

export interface Link {
  /** For createEngine. */
  readonly host: string;
  /** Ends all connections, and refuses new ones until `mend`. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** Ends those that are there; new ones are let through. */
  drop(): void;
  /** Passes nothing on any more and ends nothing, as a network that is gone. */
  freeze(): void;
  close(): Promise<void>;
}

/** A way to the Engine over TCP that breaks when it is told to. */
export async function startLink(engineHost: string): Promise<Link> {
  const target = engineHost.startsWith('unix://')
    ? { path: engineHost.slice('unix://'.length) }
    : { host: new URL(engineHost).hostname, port: Number(new URL(engineHost).port) };
  const open = new Set<net.Socket>();
  let isFrozen = false;
  const server = net.createServer({ allowHalfOpen: true }, (near) => {
    const far = net.connect({ ...target, allowHalfOpen: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        if (!isFrozen) other.destroy();
      });
      if (isFrozen) socket.pause();
      else socket.pipe(other);
    }
  });
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  };
  const port = await listen(0);
  const drop = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    host: `tcp://127.0.0.1:${port}`,
    drop,
    async cut() {
      const closed = once(server, 'close');
      server.close();
      drop();
      await closed;
    },
    async mend() {
      await listen(port);
    },
    freeze() {
      isFrozen = true;
      for (const socket of open) {
        socket.unpipe();
        socket.pause();
      }
    },
    async close() {
      server.close();
      drop();
    },
  };
}
