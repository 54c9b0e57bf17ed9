import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HangarError, proxyPasswords, type TreeOrder, type TreeWord } from '@hangar/contract';
import { within } from './deadline.ts';
import { runWorkOrder } from './run.ts';
import { HttpChannel } from './server/http-channel.ts';
import { answerGit } from './source/credential.ts';
import { carryOutTreeOrder, takeTreeOrder } from './tree/tree-order.ts';
import { WorkFolder } from './work-folder.ts';

const VERSION = '0.1.0';
const TOKEN_MS = 30_000;
const CLAIM_MS = 10 * 60_000;
const LOOK_MS = 1000;
const EXIT = { done: 0, failed: 1, usage: 2, notOurs: 3 } as const;

async function main(): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const [command, socket, operation] = process.argv.slice(2);
  if (command === 'git-credential') {
    if (operation === 'get' && socket !== undefined) process.stdout.write(await answerGit(socket, process.stdin));
    return EXIT.done;
  }
  const url = process.env.HANGAR_WORKER_URL;
  const dir = process.env.HANGAR_WORKER_DIR;
  if (!dir) return misused();
  const told = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => told.abort(`The worker was told to stop (${signal}).`));
  const order = takeTreeOrder(process.env);
  if (order !== null) return workOnTree(order, dir, told.signal);
  if (!url) return misused();
  const token = await readToken();
  if (token === '') {
    say('hangar worker: no job token on standard input\n');
    return EXIT.usage;
  }
  return work(url, dir, token, told.signal);
}

function misused(): number {
  say('hangar worker: set HANGAR_WORKER_URL and HANGAR_WORKER_DIR; the job token comes on stdin\n');
  return EXIT.usage;
}

const helper = () => ({
  argv: [...besideLibraries(), process.execPath, fileURLToPath(import.meta.url), 'git-credential'],
});

async function workOnTree(order: TreeOrder, dir: string, signal: AbortSignal): Promise<number> {
  const tell = (word: TreeWord) => void process.stdout.write(`${JSON.stringify(word)}\n`);
  const secrets = proxyPasswords(process.env);
  const isDone = await carryOutTreeOrder(order, { dir, env: process.env, helper: helper(), secrets, signal, tell });
  // What waits in the pipe would end with the process.
  await new Promise<void>((done) => process.stdout.write('', () => done()));
  return isDone ? EXIT.done : EXIT.failed;
}

async function work(url: string, dir: string, token: string, signal: AbortSignal): Promise<number> {
  const workerId = randomBytes(12).toString('hex');
  const channel = new HttpChannel({ url, token, workerId, spoolDir: join(dir, 'spool'), env: process.env });
  const folder = existsSync(dir) ? new WorkFolder(dir, LOOK_MS) : null;
  const limit = within(folder ? [signal, folder.gone] : [signal], CLAIM_MS);
  try {
    const order = await channel.claim({ version: VERSION, host: hostname(), pid: process.pid }, limit);
    folder?.close();
    const finish = await runWorkOrder(order, channel, {
      dir,
      signal,
      env: process.env,
      helper: helper(),
      ...homeOfMachine(),
      secrets: [token, ...proxyPasswords(process.env)],
      log: (message) => say(`hangar worker: ${message}\n`),
    });
    say(`hangar worker: ${order.jobId} ${finish.outcome}\n`);
    return EXIT.done;
  } catch (error) {
    const notOurs =
      error instanceof HangarError && (error.code === 'worker_fenced' || error.code === 'worker_token_invalid');
    say(`hangar worker: ${error instanceof Error ? error.message : error}\n`);
    return notOurs ? EXIT.notOurs : EXIT.failed;
  } finally {
    limit.done();
    folder?.close();
    await channel.close();
  }
}

/** In a machine that people work in, agents have its home: what is installed, set up and signed in to there is theirs, too. */
function homeOfMachine(): { readonly home?: string } {
  const { HANGAR_WORKER_HOME: whose, HOME: home } = process.env;
  return whose === 'machine' && home !== undefined ? { home } : {};
}

/** For who looks after the machine. It may go to a file on a full disk, which must not end the job. */
function say(text: string): void {
  try {
    process.stderr.write(text);
  } catch {
    // Nobody else is there to be told.
  }
}

/** A Node that was brought into an image along with libraries needs them again when git starts it as credential helper. */
function besideLibraries(): string[] {
  const lib = join(dirname(process.execPath), 'lib');
  return existsSync(join(lib, 'libstdc++.so.6')) ? ['env', `LD_LIBRARY_PATH=${lib}`] : [];
}

/** One line. Whoever started us may keep the pipe open. */
async function readToken(): Promise<string> {
  let text = '';
  const limit = setTimeout(() => process.stdin.destroy(), TOKEN_MS);
  try {
    for await (const part of process.stdin) {
      text += part.toString();
      if (text.includes('\n') || text.length > 8192) break;
    }
  } finally {
    clearTimeout(limit);
  }
  return text.split('\n')[0]?.trim() ?? '';
}

process.exit(await main());
