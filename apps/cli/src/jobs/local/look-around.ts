import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Cli } from '../../cli.ts';
import { isOtherNoted, noteOf, type PlacesWish } from './run-places.ts';
import type { RunRecord } from './run-records.ts';

/** Until the process that looks has begun, on a machine with much else to do. */
const BEGIN_MS = 10_000;
/** A place that has not answered so long after the last that did is not waited for. */
const SILENCE_MS = 2000;
const WHOLE_MS = 10_000;

type Around = Pick<Cli, 'self' | 'settings' | 'signal'>;

/** Notes a place beside the work. Nothing fails where that cannot be done; to wait for it is bounded. */
export async function notePlace(cli: Around, gitFolder: string): Promise<void> {
  try {
    await ask(cli, { configDir: cli.settings.configDir, note: gitFolder, look: false });
  } catch {
    // No process can be had for it: only other folders do not know of this one.
  }
}

/** Has a place noted that is not yet, as after a checkout was moved. Nobody waits for it. */
export function noteLater(cli: Around, gitFolder: string): void {
  const { configDir } = cli.settings;
  if (existsSync(noteOf(configDir, gitFolder))) return;
  const wish = { configDir, note: gitFolder, look: false };
  spawn(...looker(cli, wish), { ...optionsOf(cli), stdio: 'ignore' })
    .on('error', () => undefined)
    .unref();
}

/**
 * The records of all noted places but the own one, as far as they answer.
 * @throws the reason of the signal
 */
export async function recordsElsewhere(cli: Around, own: string | null): Promise<RunRecord[]> {
  if (!(await isOtherNoted(cli.settings.configDir, own))) return [];
  const records = await ask(cli, { configDir: cli.settings.configDir, note: own, look: true });
  cli.signal.throwIfAborted();
  return records;
}

/**
 * Another process looks: one that waits for a disk cannot even end before that answers, and this command is to end when the person says
 * so.
 */
function ask(around: Around, wish: PlacesWish): Promise<RunRecord[]> {
  const { signal } = around;
  const child = spawn(...looker(around, wish), { ...optionsOf(around), stdio: ['ignore', 'pipe', 'ignore'] });
  const found: RunRecord[] = [];
  return new Promise((resolve) => {
    // Not begun: without descriptors it has no streams either.
    if (child.pid === undefined) return void child.on('error', () => resolve(found));
    const over = () => {
      clearTimeout(silence);
      clearTimeout(whole);
      signal.removeEventListener('abort', over);
      child.kill('SIGKILL');
      child.stdout.destroy();
      child.unref();
      resolve(found);
    };
    let silence = setTimeout(over, BEGIN_MS);
    const whole = setTimeout(over, WHOLE_MS);
    createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      clearTimeout(silence);
      silence = setTimeout(over, SILENCE_MS);
      found.push(...read(line));
    });
    child.on('error', over);
    child.on('close', over);
    if (signal.aborted) over();
    else signal.addEventListener('abort', over, { once: true });
  });
}

const looker = ({ self }: Around, wish: PlacesWish): [string, string[]] => {
  const [file = process.execPath, ...args] = self;
  return [file, [...args, '__places', JSON.stringify(wish)]];
};

const optionsOf = ({ settings }: Around) => ({
  cwd: '/',
  // Disks that do not answer hold a thread each; the others are read beside them.
  env: { ...settings.env, UV_THREADPOOL_SIZE: '64' },
  // Ctrl-C at the terminal is for the command.
  detached: true,
});

function read(line: string): RunRecord[] {
  try {
    return JSON.parse(line) as RunRecord[];
  } catch {
    return [];
  }
}
