import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DiffStat, type Failure, LogLine, type Outcome } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { type Checkout, ownFolder } from '../checkout/checkout.ts';

/** A run on this machine, kept in the git folder until newer ones push it out. */
export interface LocalRun {
  readonly id: string;
  readonly title: string;
  /** lost: the command was killed before the run had ended. */
  readonly state: Outcome | 'running' | 'lost';
  readonly exitCode: number | null;
  readonly reason: string;
  readonly failure: Failure | null;
  readonly diff: DiffStat | null;
  readonly commit: string;
  readonly baseTree: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** Of the command, and the folder of its files: what is left of a run that did not end. */
  readonly pid: number;
  readonly dir: string;
}

const REMEMBERED = 10;
const folderOf = (checkout: Checkout): string => join(ownFolder(checkout), 'runs');

/** Ids sort by time. */
export const newLocalId = (): string => `l_${Date.now().toString(36)}${randomBytes(2).toString('hex')}`;

export const localDiff = (checkout: Checkout, id: string): string => join(folderOf(checkout), id, 'diff');

/** What a run printed. */
export async function localLog(checkout: Checkout, id: string): Promise<LogLine[]> {
  const text = await readFile(join(folderOf(checkout), id, 'log'), 'utf8').catch(() => '');
  // Behind the last line end there is nothing, or a line that a killed command could not finish.
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => LogLine.parse(JSON.parse(line)));
}

/** A file the agent left besides the diff. */
export const localArtifact = (checkout: Checkout, id: string, name: string): string =>
  join(folderOf(checkout), id, `artifact-${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`);

/** Makes the folder of a new run and lets the oldest go. */
export async function openLocalRun(checkout: Checkout, id: string): Promise<string> {
  const folder = folderOf(checkout);
  await mkdir(join(folder, id), { recursive: true });
  const ids = (await readdir(folder)).sort();
  for (const old of ids.slice(0, Math.max(0, ids.length - REMEMBERED)))
    await rm(join(folder, old), { recursive: true, force: true });
  return join(folder, id);
}

export async function keepLocalRun(checkout: Checkout, run: LocalRun): Promise<void> {
  const file = join(folderOf(checkout), run.id, 'run.json');
  await writeFile(`${file}.part`, JSON.stringify(run, null, 2));
  await rename(`${file}.part`, file);
}

/** @throws HangarError job_not_found */
export async function findLocalRun(checkout: Checkout, id: string): Promise<LocalRun> {
  const text = await readFile(join(folderOf(checkout), id, 'run.json'), 'utf8').catch(() => null);
  if (text !== null) {
    const run = JSON.parse(text) as LocalRun;
    if (run.state !== 'running' || isAlive(run.pid)) return run;
    const reason = `The command was killed before the run had ended; its files may still be in ${run.dir}.`;
    return { ...run, state: 'lost', reason };
  }
  throw new HangarError('job_not_found', {
    message: `This checkout has no run ${id}; the last ${REMEMBERED} are kept.`,
    wayOut: 'Run it again: hangar run --spec SPEC.md',
  });
}

/** @throws HangarError job_not_found */
export async function newestLocalRun(checkout: Checkout): Promise<LocalRun> {
  const ids = (await readdir(folderOf(checkout)).catch(() => [])).sort().reverse();
  for (const id of ids) {
    const run = await findLocalRun(checkout, id).catch(() => null);
    if (run !== null && (run.finishedAt !== null || run.diff !== null)) return run;
  }
  throw new HangarError('job_not_found', {
    message: 'There was no run on this machine in this checkout.',
    wayOut: 'Run one: hangar run --spec SPEC.md',
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
