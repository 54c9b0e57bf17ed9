import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ERRORS,
  type ErrorCode,
  type Failure,
  HangarError,
  isErrorCode,
  PHASE_GRACE_SECONDS,
  PHASE_LIMITS,
  type SandboxDiff,
  TREE_FILES,
  TREE_ORDER,
  type TreeOrder,
  TreeWord,
} from '@hangar/contract';
import { type ExecutionSpec, type Result, whyUnsuitable } from '@hangar/sandbox';
import type { Hand, JobsOfSandboxes } from '../needs.ts';
import type { LaidOut, SandboxRow } from '../store/sandboxes-tables.ts';
import { passes } from './failures.ts';

const PREPARE_MS = (PHASE_LIMITS.cloningSeconds + PHASE_GRACE_SECONDS) * 1000;
const DIFF_MS = 10 * 60_000;
const GRACE_MS = 5_000;
const CANCEL_MS = 20_000;
/** More than that it never says: paths and sentences, a line at most each three seconds. */
const WORDS_MOST = 4 * 1024 * 1024;
const ERRORS_MOST = 2_000;

const WORDS = {
  bundle: 'Sending the checkout that the job was sent with',
  patch: 'Sending the uncommitted work that the job was sent with',
  diff: 'Sending the diff of the job',
} as const;

export interface DiffAsked {
  /** Absolute. */
  readonly path: string;
  readonly base: string | null;
  readonly maxBytes: number;
}

export type Trees = ReturnType<typeof createTrees>;

/**
 * Works on git trees in machines, by the program that does it for jobs: brought there, and run as an execution that no row knows. What it
 * needs to know, credentials too, is in the environment of that program alone.
 */
export function createTrees({
  jobs,
  program,
}: {
  readonly jobs: Pick<JobsOfSandboxes, 'filesOf'>;
  /** The name that it was brought under. */
  readonly program: string;
}) {
  const specOf = async (
    hand: Hand,
    o: { id: string; folder: string; order: TreeOrder; ms: number; signal: AbortSignal; say: (text: string) => void },
  ): Promise<ExecutionSpec> => ({
    ...{ id: o.id, command: await hand.programs.command(program, o), cwd: null, user: null, stdin: 'none' },
    env: { HANGAR_WORKER_DIR: o.folder, [TREE_ORDER]: JSON.stringify(o.order) },
    ...{ terminal: null, timeoutMs: o.ms, graceMs: GRACE_MS },
  });

  /** Puts what is needed into the machine, unless it was begun already. Answers the execution to start, or null. */
  async function begin(
    row: SandboxRow,
    hand: Hand,
    o: { id: string; folder: string; jobId: string; signal: AbortSignal; say: (text: string) => void },
  ): Promise<ExecutionSpec> {
    const { repo, credential, diff, open } = await jobs.filesOf(row.userId, o.jobId);
    await hand.files.mkdir(`${o.folder}/run`, o);
    for (const what of ['bundle', 'patch', 'diff'] as const) {
      if (!(what === 'diff' ? diff : repo[what])) continue;
      o.say(WORDS[what]);
      await hand.files.write(`${o.folder}/${TREE_FILES[what]}`, await open(what, o), { signal: o.signal, mode: 0o600 });
    }
    return specOf(hand, { ...o, ms: PREPARE_MS, order: { kind: 'prepare', jobId: o.jobId, repo, credential, diff } });
  }

  return {
    /**
     * Lays out the files of its job, once however often it is asked. Answers why that will never be.
     * @throws HangarError connection_lost, sandbox_gone, driver_unavailable: not now
     */
    async prepare(
      row: SandboxRow,
      hand: Hand,
      o: { readonly signal: AbortSignal; readonly say: (text: string) => void },
    ): Promise<LaidOut | Failure> {
      const { jobId } = row;
      if (jobId === null) throw new HangarError('internal');
      const id = `tree_${row.id}_${row.attempt}`;
      const folder = `${await hand.programs.workFolder(o)}/${jobId}`;
      const isBegun = (await hand.executions.list(o)).some((known) => known.id === id);
      try {
        const { partial } = await jobs.filesOf(row.userId, jobId);
        const spec = isBegun ? null : await begin(row, hand, { ...o, id, folder, jobId });
        const { word } = await followOn(hand, id, spec, o);
        if (!('prepared' in word)) throw new HangarError('tree_not_prepared');
        const { path, commit, tree: baseTree } = word.prepared;
        return { path, folder, commit, baseTree, partial };
      } catch (error) {
        if (!(error instanceof HangarError) || passes(error) || AGAIN.has(error.code) || o.signal.aborted) throw error;
        const { code, message, wayOut } = error;
        return { code, message, wayOut };
      }
    },

    /** Makes the diff of a work tree, and leaves it in the machine to be read. */
    async diff(row: SandboxRow, hand: Hand, asked: DiffAsked, signal: AbortSignal): Promise<SandboxDiff> {
      const diff = randomBytes(10).toString('hex');
      const id = `diff_${diff}`;
      const folder = await diffsFolder(hand, signal);
      const { path, maxBytes } = asked;
      const prepared = isIn(row.tree, path);
      if (prepared !== null && asked.base !== null)
        throw new HangarError('validation_failed', {
          message: 'base: the tree of a job is compared with what it began with',
        });
      const spec = await specOf(hand, {
        ...{ id, folder, signal, say: () => undefined, ms: DIFF_MS },
        order: {
          ...{ kind: 'diff', id: diff, path, base: asked.base, maxBytes },
          prepared: prepared && { folder: prepared.folder, commit: prepared.commit, tree: prepared.baseTree },
        },
      });
      let isOver = false;
      try {
        const { word } = await followOn(hand, id, spec, { signal, say: () => undefined, over: () => (isOver = true) });
        if (!('made' in word)) throw new HangarError('diff_not_made');
        const { file: _, ...made } = word.made;
        return { ...made, diff };
      } catch (error) {
        signal.throwIfAborted();
        throw inWordsOfSandboxes(error);
      } finally {
        const short = () => ({ signal: AbortSignal.timeout(CANCEL_MS) });
        // What stays of it is small, and goes with the machine.
        const tidy = async () => {
          if (!isOver) await hand.executions.cancel(id, { graceMs: GRACE_MS, signal: 'SIGTERM' }, short());
          await hand.executions.forget(id, short());
        };
        void tidy().catch(() => undefined);
      }
    },

    /** @throws HangarError diff_expired */
    async read(
      hand: Hand,
      diff: string,
      o: { readonly signal: AbortSignal; readonly maxBytes: number },
    ): Promise<Readable> {
      const file = `${await diffsFolder(hand, o.signal)}/${TREE_FILES.made}/${diff}`;
      return hand.files.read(file, { signal: o.signal, length: o.maxBytes }).catch((error: unknown) => {
        throw error instanceof HangarError && error.code === 'file_not_found' ? new HangarError('diff_expired') : error;
      });
    },
  };
}

/** What is said of these is said to whose job it happens: in words of a sandbox; null: what it says itself serves. */
const OF_JOBS: Partial<Record<ErrorCode, string | null>> = {
  cloning_too_long: `It took longer than ${DIFF_MS / 60_000} minutes.`,
  worktree_gone: 'The work tree went away meanwhile.',
  git_killed: 'git was killed: for memory, or by somebody.',
  out_of_memory: 'It ran out of memory.',
  internal: '',
  ...{ tree_not_prepared: null, image_unsuitable: null, repo_unreachable: null },
};

function inWordsOfSandboxes(error: unknown): unknown {
  if (!(error instanceof HangarError)) return error;
  const said = OF_JOBS[error.code];
  if (said === undefined) return error;
  const why = said ?? error.message.replace(ERRORS.tree_not_prepared.message, '');
  return new HangarError('diff_not_made', { message: `${ERRORS.diff_not_made.message} ${why}`.trim() });
}

const diffsFolder = async (hand: Hand, signal: AbortSignal): Promise<string> =>
  `${await hand.programs.workFolder({ signal })}/.hangar`;

const isIn = (tree: LaidOut | null, path: string): LaidOut | null =>
  tree !== null && posix.normalize(`${path}/`).startsWith(`${tree.path}/`) ? tree : null;

/** What broke is tried again at once, then more slowly. */
const AGAIN_MS = [100, 500, 2_000] as const;
/** What says nothing of how it ends, besides what passes. */
const AGAIN: ReadonlySet<ErrorCode> = new Set(['sandbox_gone', 'driver_auth_failed'] as const);

/** The same over breaks of the way to the machine. */
async function followOn(...[hand, id, spec, o]: Parameters<typeof follow>): ReturnType<typeof follow> {
  for (const pause of AGAIN_MS)
    try {
      return await follow(hand, id, spec, o);
    } catch (error) {
      if (!(error instanceof HangarError) || error.code !== 'connection_lost') throw error;
      await sleep(pause, undefined, { signal: o.signal });
    }
  return follow(hand, id, spec, o);
}

/** Until it has ended, with the last thing it said. @throws HangarError with what it failed for */
async function follow(
  hand: Hand,
  id: string,
  spec: ExecutionSpec | null,
  o: { readonly signal: AbortSignal; readonly say: (text: string) => void; readonly over?: () => void },
): Promise<{ word: TreeWord }> {
  const start = { stdout: 0, stderr: 0 };
  const decoder = new TextDecoder();
  let [line, errors, bytes] = ['', '', 0];
  let last: TreeWord | null = null;
  const take = (text: string) => {
    const word = wordOf(text);
    if (word === null) return;
    if ('say' in word) o.say(plain(word.say));
    else last = word;
  };
  const outputs = spec === null ? hand.executions.attach(id, start, o) : hand.executions.run(spec, start, o);
  for await (const output of outputs) {
    if (output.type === 'started') continue;
    if (output.type === 'end') {
      o.over?.();
      take(line + decoder.decode());
      return { word: settled(last, output.result, errors) };
    }
    bytes += output.data.length;
    if (bytes > WORDS_MOST) throw new HangarError('tree_not_prepared', { message: 'The machine says too much.' });
    if (output.type === 'stderr') errors = (errors + Buffer.from(output.data).toString()).slice(-ERRORS_MOST);
    else {
      const lines = (line + decoder.decode(output.data, { stream: true })).split('\n');
      line = lines.pop() ?? '';
      lines.forEach(take);
    }
  }
  throw new HangarError('connection_lost');
}

/** What a machine says, as a row may hold it. */
const plain = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .toWellFormed()
    .trim()
    .slice(0, ERRORS_MOST);

function wordOf(line: string): TreeWord | null {
  try {
    return TreeWord.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** @throws HangarError */
function settled(word: TreeWord | null, { reason, exitCode, message }: Result, errors: string): TreeWord {
  if (word !== null && 'failure' in word) {
    const { code, message, wayOut } = word.failure;
    throw new HangarError(isErrorCode(code) ? code : 'tree_not_prepared', {
      message: plain(message),
      wayOut: plain(wayOut),
    });
  }
  if (word !== null && reason === 'exited' && exitCode === 0) return word;
  const unsuitable = exitCode === null ? null : whyUnsuitable(exitCode, 'machine');
  if (unsuitable !== null) throw new HangarError('image_unsuitable', { message: `${unsuitable}.` });
  if (reason === 'timeout') throw new HangarError('cloning_too_long');
  if (reason === 'out_of_memory') throw new HangarError('out_of_memory');
  const said = plain(errors).slice(-300);
  throw new HangarError('tree_not_prepared', {
    message: `${ERRORS.tree_not_prepared.message} ${message ?? said}`.trim(),
  });
}
