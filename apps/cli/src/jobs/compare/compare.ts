import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isFinal, type Job } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { showPath } from '@hangar/contract/path-bytes';
import type { Verdict } from '@hangar/contract/words/group';
import { agentMs, JOB_WORDS } from '@hangar/contract/words/job';
import { diffStat } from '../../checkout/diff.ts';
import { type Git, openGit } from '../../checkout/git.ts';
import type { Cli } from '../../cli.ts';
import type { Api } from '../../server/api.ts';
import { throughBreaks } from '../../server/through-breaks.ts';

export interface FileChange {
  readonly path: string;
  /** null for binary files. */
  readonly insertions: number | null;
  readonly deletions: number | null;
  /** The same for two jobs when they did the same to the file. */
  readonly signature: string;
}

/** One of the jobs that are set side by side. */
export interface Contender {
  readonly job: Job;
  /** Of the agent, so far or in all; null before it began. */
  readonly agentSeconds: number | null;
  /** What it changed; null when nobody can say (yet). */
  readonly files: readonly FileChange[] | null;
  /** Why files is null, or that they are not all. */
  readonly note: string | null;
  /** The diff on this machine, until it is let go. */
  readonly diffFile: string | null;
}

/** A file that at least one of the jobs changed. */
export interface ComparedFile {
  /** For people, as `showPath` writes it. */
  readonly path: string;
  readonly verdict: Verdict;
  readonly changes: readonly {
    readonly id: string;
    readonly insertions: number | null;
    readonly deletions: number | null;
    /** Jobs with the same letter did the same to the file. */
    readonly version: string;
  }[];
}

const PATIENCE_MS = 5 * 60_000;
const AT_ONCE = 4;

/** Fetches what each job has changed so far. Let the files go with `dispose`. */
export async function gather(
  cli: Cli,
  api: Api,
  jobs: readonly Job[],
): Promise<{ contenders: Contender[]; dispose: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'hangar-compare-'));
  const dispose = () => rm(dir, { recursive: true, force: true });
  const progress = cli.terminal.progress('Fetching the diffs');
  const git = openGit(cli.settings.cwd, { signal: cli.signal, env: cli.settings.env });
  const contenders: Contender[] = [];
  try {
    for (let at = 0; at < jobs.length; at += AT_ONCE) {
      progress.update(`Fetching the diffs: ${at} of ${jobs.length}`);
      const some = jobs.slice(at, at + AT_ONCE);
      contenders.push(...(await Promise.all(some.map((job) => contender(cli, api, git, job, join(dir, job.id))))));
    }
    return { contenders, dispose };
  } catch (error) {
    await dispose();
    throw error;
  } finally {
    progress.done();
  }
}

async function contender(cli: Cli, api: Api, git: Git, job: Job, file: string): Promise<Contender> {
  const ms = agentMs(job);
  const common = { job, agentSeconds: ms === null ? null : ms / 1000, diffFile: null };
  if (job.diff === null)
    return {
      ...common,
      files: null,
      note: isFinal(job.state) ? 'left no diff' : `is ${JOB_WORDS[job.state].word}, no diff yet`,
    };
  if (job.diff.filesChanged === 0) return { ...common, files: [], note: 'changed nothing' };
  try {
    await throughBreaks({ terminal: cli.terminal, signal: cli.signal, patienceMs: PATIENCE_MS }, async () => {
      const response = await api.request(`/jobs/${job.id}/artifacts/diff`);
      await pipeline(Readable.from(response.body ?? []), createWriteStream(file, { mode: 0o600 }), {
        signal: cli.signal,
      });
    });
    const files = await filesOf(git, file);
    return { ...common, files, diffFile: file, note: job.diff.partial ? 'the diff is partial' : null };
  } catch (error) {
    // A diff that was removed, or that git cannot read, is no reason to hide the others.
    if (error instanceof HangarError && (error.kind === 'not_found' || error.code === 'diff_does_not_apply'))
      return { ...common, files: null, note: `${error.message.charAt(0).toLowerCase()}${error.message.slice(1, -1)}` };
    throw error;
  }
}

async function filesOf(git: Git, file: string): Promise<FileChange[]> {
  const [stats, signatures] = [await diffStat(git, file), await signaturesOf(file)];
  // Git names the files and counts their lines, in the order of the diff.
  if (stats.length !== signatures.length)
    throw new HangarError('diff_does_not_apply', { message: 'The diff cannot be read.' });
  return stats.map((stat, at) => ({ ...stat, signature: signatures[at] ?? '' }));
}

const NEW_LINE = 10;
const SECTION = Buffer.from('diff --git ');
const BLOBS = Buffer.from('index ');

/** A hash for each file of a diff, over all that is said of it but the names of its contents. */
export async function signaturesOf(file: string): Promise<string[]> {
  const signatures: string[] = [];
  let hash = createHash('sha256');
  let isOpen = false;
  const line = (bytes: Buffer) => {
    if (bytes.subarray(0, SECTION.length).equals(SECTION)) {
      if (isOpen) signatures.push(hash.digest('hex'));
      hash = createHash('sha256');
      isOpen = true;
    } else if (!bytes.subarray(0, BLOBS.length).equals(BLOBS)) hash.update(bytes);
  };
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    const data = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    let from = 0;
    for (let at = data.indexOf(NEW_LINE); at >= 0; at = data.indexOf(NEW_LINE, from)) {
      line(data.subarray(from, at + 1));
      from = at + 1;
    }
    rest = data.subarray(from);
  }
  line(rest);
  if (isOpen) signatures.push(hash.digest('hex'));
  return signatures;
}

/** Which files were changed by whom, and where they agree. Pure. */
export function compareFiles(contenders: readonly Pick<Contender, 'job' | 'files'>[]): ComparedFile[] {
  const known = contenders.filter(({ files }) => files !== null);
  const byPath = new Map<string, { id: string; change: FileChange }[]>();
  for (const { job, files } of known)
    for (const change of files ?? []) {
      const changes = byPath.get(change.path) ?? [];
      byPath.set(change.path, [...changes, { id: job.id, change }]);
    }
  return [...byPath]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, changes]) => {
      const versions = [...new Set(changes.map(({ change }) => change.signature))];
      const verdict =
        changes.length === 1 && known.length > 1
          ? 'alone'
          : versions.length === 1 && changes.length === known.length
            ? 'same'
            : 'differs';
      return {
        path: showPath(path),
        verdict,
        changes: changes.map(({ id, change: { insertions, deletions, signature } }) => ({
          id,
          insertions,
          deletions,
          version: letter(versions.indexOf(signature)),
        })),
      };
    });
}

const letter = (at: number): string => String.fromCodePoint('a'.charCodeAt(0) + at);
