import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Brought } from '../port/brought.ts';
import { SCRIPTED_WORKER } from './scripted-worker.ts';

const Message = z.looseObject({ run: z.string(), event: z.string(), id: z.string() });
export type Message = z.infer<typeof Message>;

/** Stands in for the server: the socket that workers talk to, and what scripted workers said on it. */
export interface WorkerDesk extends AsyncDisposable {
  readonly dir: string;
  /** What drivers are given: the scripted worker, and the way to this desk. */
  readonly brought: Brought;
  readonly messages: readonly Message[];
  of(run: string, event: string): Message[];
  /** Waits for the first such message. */
  heard(run: string, event: string, deadlineMs?: number): Promise<Message>;
}

export async function openWorkerDesk(nodeFile: string): Promise<WorkerDesk> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'hangar-desk-'));
  const socketDir = path.join(dir, 'socket');
  await mkdir(socketDir, { mode: 0o755 });
  const workerFile = path.join(dir, 'worker.mjs');
  await writeFile(workerFile, SCRIPTED_WORKER, { mode: 0o644 });
  const messages: Message[] = [];
  const answer: http.RequestListener = async (request, response) => {
    const parsed = Message.safeParse(await json(request).catch(() => null));
    if (parsed.success) messages.push(parsed.data);
    response.writeHead(parsed.success ? 200 : 401).end('{}');
  };
  const server = http.createServer(answer);
  const socket = path.join(socketDir, 'worker.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  await chmod(socket, 0o666);
  // The same for workers that have no folder in common with it.
  const overNetwork = http.createServer(answer).listen(0, '127.0.0.1');
  await once(overNetwork, 'listening');
  const address = overNetwork.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const of = (run: string, event: string) => messages.filter((m) => m.run === run && m.event === event);
  return {
    dir,
    messages,
    of,
    brought: {
      programs: { worker: { file: workerFile } },
      ...{ httpUrl: `http://127.0.0.1:${port}`, socketDir, nodeFile },
      instanceId: `test-${path.basename(dir)}`,
    },
    async heard(run, event, deadlineMs = 30_000) {
      const deadline = performance.now() + deadlineMs;
      for (;;) {
        const [message] = of(run, event);
        if (message) return message;
        if (performance.now() > deadline) throw new Error(`Worker ${run} never said "${event}"`);
        await sleep(10);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const one of [server, overNetwork]) {
        one.closeAllConnections();
        await new Promise((resolve) => one.close(resolve));
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Processes of this machine, containers included, that have the word in their command line. */
export async function processesWith(word: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (line.includes(word)) found.push(`${pid} ${line.replaceAll('\0', ' ')}`);
  }
  return found;
}
