import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiffStat, Failure, Outcome } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { type Checkout, ownFolder } from '../checkout/checkout.ts';
import { lookFor, type Owner } from './run-owner.ts';

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
  /** The command of the run. */
  readonly owner: Owner;
  /** Where the agent works; null once that is gone. */
  readonly dir: string | null;
}

const REMEMBERED = 10;
/** The command of a run says so often that it is there, for those who cannot look for its process. */
export const BEAT_MS = 60_000;
const SILENT_MS = 10 * BEAT_MS;
/** Records of earlier versions do not say who writes them. */
const NOBODY: Owner = { pid: 0, began: '', place: '' };
const ID = /^l_[0-9a-z]+$/;

const folderOf = (checkout: Checkout): string => join(ownFolder(checkout), 'runs');
const recordOf = (checkout: Checkout, id: string): string => join(folderOf(checkout), id, 'run.json');

/** Ids sort by time. */
export const newLocalId = (): string => `l_${Date.now().toString(36)}${randomBytes(2).toString('hex')}`;

export const localFolder = (checkout: Checkout, id: string): string => join(folderOf(checkout), id);
export const localDiff = (checkout: Checkout, id: string): string => join(folderOf(checkout), id, 'diff');
/** null where there is nothing to pull. */
export const diffFileOf = (checkout: Checkout, { id, diff }: Pick<LocalRun, 'id' | 'diff'>): string | null =>
  diff === null || diff.filesChanged === 0 ? null : localDiff(checkout, id);
export const localLogFile = (checkout: Checkout, id: string): string => join(folderOf(checkout), id, 'log');

export const ARTIFACT_PREFIX = 'artifact-';
/** The name, in the folder of its run, of a file the agent left besides the diff; how that is called was the agent's choice. */
export const artifactFile = (name: string): string => `${ARTIFACT_PREFIX}${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`;
export const localArtifact = (checkout: Checkout, id: string, name: string): string =>
  join(folderOf(checkout), id, artifactFile(name));

/** Makes the folder of a new run and lets the oldest that have ended go. Those that still run stay, however many there are. */
export async function openLocalRun(checkout: Checkout, run: LocalRun): Promise<string> {
  const ended = (await localRuns(checkout)).filter(({ state }) => state !== 'running');
  for (const { id } of ended.slice(REMEMBERED - 1))
    await rm(localFolder(checkout, id), { recursive: true, force: true });
  const folder = localFolder(checkout, run.id);
  await mkdir(folder, { recursive: true });
  await keepLocalRun(checkout, run);
  return folder;
}

export async function keepLocalRun(checkout: Checkout, run: LocalRun): Promise<void> {
  const file = recordOf(checkout, run.id);
  const part = `${file}.${randomBytes(4).toString('hex')}.part`;
  await writeFile(part, JSON.stringify(run, null, 2));
  await rename(part, file);
}

/** Says that the command of a run is still there. */
export async function beat(checkout: Checkout, id: string): Promise<void> {
  const now = new Date();
  await utimes(recordOf(checkout, id), now, now).catch(() => undefined);
}

/** The runs of this checkout that are kept, newest first. */
export async function localRuns(checkout: Checkout): Promise<LocalRun[]> {
  const names = (await readdir(folderOf(checkout)).catch(() => [])).filter((name) => ID.test(name));
  const runs = await Promise.all(names.map((id) => read(checkout, id)));
  return runs
    .filter((run) => run !== null)
    .sort((one, other) => (one.startedAt < other.startedAt ? 1 : one.startedAt > other.startedAt ? -1 : 0));
}

/** @throws HangarError job_not_found */
export async function findLocalRun(checkout: Checkout, id: string): Promise<LocalRun> {
  const run = ID.test(id) ? await read(checkout, id) : null;
  if (run !== null) return run;
  throw new HangarError('job_not_found', {
    message: `This checkout has no run ${id}; the last ${REMEMBERED} are kept.`,
    wayOut: 'Run it again: hangar run --spec SPEC.md',
  });
}

/** What can be pulled: it has ended, or was lost and had saved a diff before. */
export const hasResult = ({ state, finishedAt, diff }: LocalRun): boolean =>
  state !== 'running' && (finishedAt !== null || diff !== null);

/** @throws HangarError job_not_found */
export async function newestLocalRun(checkout: Checkout): Promise<LocalRun> {
  const run = (await localRuns(checkout)).find(hasResult);
  if (run !== undefined) return run;
  throw new HangarError('job_not_found', {
    message: 'There was no run on this machine in this checkout.',
    wayOut: 'Run one: hangar run --spec SPEC.md',
  });
}

/** null when there is none, or only what a killed command wrote of it. */
async function read(checkout: Checkout, id: string): Promise<LocalRun | null> {
  const file = recordOf(checkout, id);
  const run = await readFile(file, 'utf8')
    .then((text) => JSON.parse(text) as LocalRun)
    .catch(() => null);
  if (run === null || run.state !== 'running') return run;
  const seen = lookFor(run.owner ?? NOBODY);
  if (seen === 'alive' || (seen === 'elsewhere' && (await ageOf(file)) < SILENT_MS)) return run;
  const kept = run.diff === null ? 'Its log is kept.' : 'Its log and the last diff it had saved are kept.';
  return { ...run, state: 'lost', reason: `The command was killed before the run had ended. ${kept}` };
}

const ageOf = async (file: string): Promise<number> =>
  Date.now() - (await stat(file).catch(() => ({ mtimeMs: 0 }))).mtimeMs;
