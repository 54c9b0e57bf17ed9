import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiffStat, Failure, Outcome } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Checkout } from '../../checkout/checkout.ts';
import type { Cli } from '../../cli.ts';
import { lookFor, type Owner } from './run-owner.ts';
import { liesIn, type Noted, RUNS, type RunRecord, recordIn, recordOf, recordsOf } from './run-records.ts';

/** A run on this machine, kept in the git folder that all work trees share until newer ones push it out. */
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
  /** As a job names it, for other clones; records of earlier versions do not say it. */
  readonly repo?: RunRepo;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** The command of the run. */
  readonly owner: Owner;
  /** Where the agent works; null once that is gone. */
  readonly dir: string | null;
}

export interface RunRepo {
  readonly name: string;
  readonly url: string | null;
  readonly root: string | null;
}

/** With the folder that holds all there is of it. */
export interface KeptRun extends LocalRun {
  readonly folder: string;
}

/** Of a repository, however many work trees it has. */
const REMEMBERED = 30;
/** The command of a run says so often that it is there, for those who cannot look for its process. */
export const BEAT_MS = 60_000;
const SILENT_MS = 10 * BEAT_MS;
/** Records of earlier versions do not say who writes them. */
const NOBODY: Owner = { pid: 0, began: '', place: '' };

/** Ids sort by time. */
export const newLocalId = (): string => `l_${Date.now().toString(36)}${randomBytes(2).toString('hex')}`;

export const localDiff = ({ folder }: Pick<KeptRun, 'folder'>): string => join(folder, 'diff');
/** null where there is nothing to pull. */
export const diffFileOf = (run: KeptRun): string | null =>
  run.diff === null || run.diff.filesChanged === 0 ? null : localDiff(run);
export const localLogFile = ({ folder }: KeptRun): string => join(folder, 'log');

export const ARTIFACT_PREFIX = 'artifact-';
/** The name, in the folder of its run, of a file the agent left besides the diff; how that is called was the agent's choice. */
export const artifactFile = (name: string): string => `${ARTIFACT_PREFIX}${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`;
export const localArtifact = ({ folder }: KeptRun, name: string): string => join(folder, artifactFile(name));

/** Makes the folder of a new run and lets the oldest that have ended go. Those that still run stay, however many there are. */
export async function openLocalRun(checkout: Checkout, run: LocalRun): Promise<KeptRun> {
  const ended = (await ownRuns(checkout.commonDir)).filter(({ state }) => state !== 'running');
  for (const { folder } of ended.slice(REMEMBERED - 1)) await rm(folder, { recursive: true, force: true });
  const kept = { ...run, folder: join(checkout.commonDir, RUNS, run.id) };
  await mkdir(kept.folder, { recursive: true });
  await keepLocalRun(kept);
  return kept;
}

export async function keepLocalRun({ folder, ...run }: KeptRun): Promise<void> {
  const file = recordIn(folder);
  const part = `${file}.${randomBytes(4).toString('hex')}.part`;
  await writeFile(part, JSON.stringify(run, null, 2));
  await rename(part, file);
}

/** Says that the command of a run is still there. */
export async function beat({ folder }: KeptRun): Promise<void> {
  const now = new Date();
  await utimes(recordIn(folder), now, now).catch(() => undefined);
}

/**
 * The runs on this machine of the repository of a checkout, newest first: its own, and those of other clones that are of the same
 * repository by the rule for jobs.
 */
export async function localRuns(cli: Cli, checkout: Checkout): Promise<KeptRun[]> {
  const [own, elsewhere] = await Promise.all([ownRuns(checkout.commonDir), runsElsewhere(cli)]);
  const known = new Set(own.map(({ id }) => id));
  const far = await ofRepository(checkout, oneOfEach(elsewhere.filter(({ id }) => !known.has(id))));
  return newestFirst([...oneOfEach([...own, ...elsewhere.filter(({ id }) => known.has(id))]), ...far]);
}

/** A checkout that was copied has the same runs. One that was copied while a run was going never hears how that ended. */
function oneOfEach(runs: readonly KeptRun[]): KeptRun[] {
  const byId = new Map<string, KeptRun>();
  for (const run of runs) {
    const known = byId.get(run.id);
    if (known === undefined || (hasEnded(run) && !hasEnded(known))) byId.set(run.id, run);
  }
  return [...byId.values()];
}

/** By what its own command said. */
const hasEnded = ({ state }: LocalRun): boolean => state !== 'running' && state !== 'lost';

/** Whether a run is of the repository of the checkout. */
export const isOfCheckout = async (checkout: Checkout, run: KeptRun): Promise<boolean> =>
  liesIn(checkout.commonDir, run.folder) || (await ofRepository(checkout, [run])).length > 0;

/** Whose runs they are, as it is said of jobs. */
export const sourceOfRun = ({ id, commit, repo }: LocalRun) => ({
  id,
  repo: { name: repo?.name ?? 'another repository', url: repo?.url ?? null, root: repo?.root ?? null, commit },
});

async function ofRepository(checkout: Checkout, runs: readonly KeptRun[]): Promise<KeptRun[]> {
  if (runs.length === 0) return [];
  const { jobsOfRepository } = await import('../../checkout/identity.ts');
  const found = new Set((await jobsOfRepository(checkout, runs.map(sourceOfRun))).map(({ id }) => id));
  return runs.filter(({ id }) => found.has(id));
}

const runsElsewhere = async (cli: Cli): Promise<KeptRun[]> => (await cli.recordsElsewhere()).map(asSeen);

/** A run by its id, of any repository on this machine, the one around first. @throws HangarError job_not_found */
export async function findLocalRun(cli: Cli, checkout: Checkout | null, id: string): Promise<KeptRun> {
  const own = (checkout === null ? [] : await ownRuns(checkout.commonDir)).filter((run) => run.id === id);
  const [run] = own.some(({ state }) => state !== 'lost')
    ? oneOfEach(own)
    : oneOfEach([...own, ...(await runsElsewhere(cli)).filter((far) => far.id === id)]);
  if (run !== undefined) return run;
  throw new HangarError('job_not_found', {
    message: `This machine has no run ${id}; the last ${REMEMBERED} of a repository are kept.`,
    wayOut: 'Run it again: hangar run --spec SPEC.md',
  });
}

/** What can be pulled: it has ended, or was lost and had saved a diff before. */
export const hasResult = ({ state, finishedAt, diff }: LocalRun): boolean =>
  state !== 'running' && (finishedAt !== null || diff !== null);

/** As its record says now. */
export async function readAgain(run: KeptRun): Promise<KeptRun> {
  const record = await recordOf(run.folder);
  return record === null ? run : asSeen(record);
}

/** What the repository itself holds, newest first. */
export const ownRuns = async (commonDir: string): Promise<KeptRun[]> =>
  newestFirst((await recordsOf(commonDir)).map(asSeen));

const newestFirst = (runs: KeptRun[]): KeptRun[] =>
  runs.sort((one, other) => (one.startedAt < other.startedAt ? 1 : one.startedAt > other.startedAt ? -1 : 0));

/** A run whose command is gone is lost, whatever its record says. */
function asSeen({ value, folder, changedMs }: RunRecord): KeptRun {
  const run: KeptRun = { ...(value as Noted['value'] & LocalRun), folder };
  if (run.state !== 'running') return run;
  const seen = lookFor(run.owner ?? NOBODY);
  if (seen === 'alive' || (seen === 'elsewhere' && Date.now() - changedMs < SILENT_MS)) return run;
  const kept = run.diff === null ? 'Its log is kept.' : 'Its log and the last diff it had saved are kept.';
  return { ...run, state: 'lost', reason: `The command was killed before the run had ended. ${kept}` };
}
