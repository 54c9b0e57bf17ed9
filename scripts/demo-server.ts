import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT, run } from './run.ts';

export const HANGAR = path.join(ROOT, 'bin/hangar');

/** Folder of the demo: its server's data, its sign-in, its clone. Nothing outside of it is touched. */
export const DEMO_DIR = path.resolve(process.env.HANGAR_DEMO_DIR || path.join(ROOT, '.hangar/demo'));
export const DATA_DIR = path.join(DEMO_DIR, 'data');
const STATE_FILE = path.join(DEMO_DIR, 'server.json');
const LOG_FILE = path.join(DEMO_DIR, 'server.log');

const USUAL_PORT = 7070;
const READY_MS = 90_000;
const STOP_MS = 20_000;

export interface DemoServer {
  readonly url: string;
  readonly pid: number;
}

/** The environment without anybody's Hangar settings: the demo has its own. */
export function demoEnvironment(settings: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('HANGAR_'));
  return Object.fromEntries([...entries.map(([name, value]) => [name, value ?? '']), ...Object.entries(settings)]);
}

/** The server an earlier demo left running; null when there is none that answers. */
export async function findServer(): Promise<DemoServer | null> {
  const text = await readFile(STATE_FILE, 'utf8').catch(() => null);
  if (text === null) return null;
  const state: DemoServer = JSON.parse(text);
  return (await isOurs(state.pid)) && (await isReady(state.url)) ? state : null;
}

/** Starts a server that outlives this program. @throws Error with the end of its log when it does not get ready */
export async function startServer(): Promise<DemoServer> {
  await stopServer();
  await mkdir(DEMO_DIR, { recursive: true, mode: 0o700 });
  const port = (await isFree(USUAL_PORT)) ? USUAL_PORT : await anyFreePort();
  const log = await open(LOG_FILE, 'w', 0o600);
  const child = spawn(HANGAR, ['server', 'start'], {
    cwd: DEMO_DIR,
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: demoEnvironment({
      HANGAR_DATA_DIR: DATA_DIR,
      HANGAR_PORT: String(port),
      HANGAR_MASTER_KEY_FILE: path.join(DEMO_DIR, 'keys/master.key'),
      HANGAR_DEMO: 'true',
    }),
  });
  const gone = new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(true)).once('exit', () => resolve(true));
  });
  await log.close();
  const server = { url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0 };
  await writeFile(STATE_FILE, JSON.stringify(server));
  for (const deadline = Date.now() + READY_MS; !(await isReady(server.url)); ) {
    if (Date.now() > deadline || (await Promise.race([gone, sleep(100, false)]))) {
      const end = (await readFile(LOG_FILE, 'utf8')).trimEnd().split('\n').slice(-20).join('\n');
      throw new Error(`The server did not get ready. The end of ${LOG_FILE}:\n${end}`);
    }
  }
  child.unref();
  return server;
}

/** Stops the server of an earlier demo. Answers whether there was one. */
export async function stopServer(): Promise<boolean> {
  const text = await readFile(STATE_FILE, 'utf8').catch(() => null);
  if (text === null) return false;
  const { pid }: DemoServer = JSON.parse(text);
  const wasRunning = await isOurs(pid);
  if (wasRunning) {
    process.kill(pid, 'SIGTERM');
    const deadline = Date.now() + STOP_MS;
    while ((await isOurs(pid)) && Date.now() < deadline) await sleep(100);
    if (await isOurs(pid)) process.kill(pid, 'SIGKILL');
  }
  await rm(STATE_FILE, { force: true });
  return wasRunning;
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** A process id may have been given to somebody else since. */
async function isOurs(pid: number): Promise<boolean> {
  if (pid <= 0) return false;
  const { exitCode, output } = await run('ps', ['-o', 'stat=,args=', '-p', String(pid)], { timeoutMs: 5_000 });
  if (exitCode === 127) return isAlive(pid);
  return (
    exitCode === 0 && !output.trimStart().startsWith('Z') && /\bserver\b.*\bstart\b|\bmain\.\w+ start\b/.test(output)
  );
}

/** Without ps. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const isFree = (port: number): Promise<boolean> =>
  listenOn(port).then(
    () => true,
    () => false,
  );

const anyFreePort = (): Promise<number> => listenOn(0);

function listenOn(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}
