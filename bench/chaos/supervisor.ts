import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from '../../tests/e2e/server-process.ts';
import { killNow } from './processes.ts';

/** What systemd would do: starts the server again whenever it ends. */
export interface Supervisor {
  readonly pid: number;
  readonly starts: number;
  readonly ready: boolean;
  /** Ends of the server that nobody here caused, with the last it said. */
  readonly byItself: readonly string[];
  /** When the server was ready, in milliseconds of this process's clock; the last one is open while it is. */
  readonly upFrom: readonly number[];
  kill(): number;
  stop(): Promise<void>;
}

const AGAIN_MS = 100;

export async function supervise(server: ServerProcess): Promise<Supervisor> {
  const byItself: string[] = [];
  const upFrom: number[] = [];
  let starts = 0;
  let ready = false;
  let killed = 0;
  let stopping = false;
  const first = Promise.withResolvers<void>();

  async function keepUp(): Promise<void> {
    while (!stopping) {
      starts += 1;
      const said = server.output.length;
      const started = await server.start().then(
        () => true,
        () => false,
      );
      const pid = server.pid;
      if (started) {
        ready = true;
        upFrom.push(performance.now());
        first.resolve();
      } else if (killed !== pid && killNow(pid)) {
        byItself.push(`not ready in time: ${tail(server.output.slice(said))}`);
        killed = pid;
      }
      await server.exited;
      ready = false;
      if (stopping) return;
      if (killed !== pid) byItself.push(`ended by itself: ${tail(server.output.slice(said))}`);
      await sleep(AGAIN_MS);
    }
  }
  const running = keepUp();
  await first.promise;

  return {
    get pid() {
      return server.pid;
    },
    get starts() {
      return starts;
    },
    get ready() {
      return ready;
    },
    byItself,
    upFrom,
    kill() {
      const { pid } = server;
      if (pid === 0 || killed === pid || !killNow(pid)) return 0;
      killed = pid;
      return pid;
    },
    async stop() {
      stopping = true;
      await server.kill('SIGTERM');
      await running;
    },
  };
}

const tail = (text: string): string => text.trim().split('\n').slice(-4).join(' | ').slice(-600);
