import { appendFile, copyFile, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type DiffStat, type Finish, type Spec, shellBlocks, type WorkOrder } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { shellWord } from '@hangar/contract/shell-words';
import { plural } from '@hangar/contract/words/number';
import { runWorkOrder, type Source, type WorkerChannel } from '@hangar/worker';
import { type Checkout, findCheckout, findRemote, nameOf, needCheckout, needHead } from '../../checkout/checkout.ts';
import { rootCommit } from '../../checkout/identity.ts';
import { leftBehind } from '../../checkout/pull/left-behind.ts';
import { packChanges } from '../../checkout/send/parcel.ts';
import { completeFiles } from '../../checkout/send/partial-clone.ts';
import type { Cli } from '../../cli.ts';
import { INTERRUPTED_EXIT_CODE } from '../../terminal/failure.ts';
import { logPrinter } from '../log/show-log.ts';
import { JOB_FAILED_EXIT_CODE } from '../log/wait.ts';
import type { RunFlags } from '../send/run-options.ts';
import { endProcesses } from './end-processes.ts';
import {
  artifactFile,
  BEAT_MS,
  beat,
  diffFileOf,
  type KeptRun,
  keepLocalRun,
  type LocalRun,
  newLocalId,
  openLocalRun,
  type RunRepo,
  readAgain,
} from './local-runs.ts';
import { localJson, localNext, sayLocalEnding } from './local-words.ts';
import { notePlace } from './look-around.ts';
import { endLostHere } from './lost-runs.ts';
import { thisProcess } from './run-owner.ts';
import { makeWorkFolder, removeWorkFolder } from './work-folder.ts';

const DEFAULT_TIMEOUT_SECONDS = 3600;
const MAX_BYTES = 1024 ** 3;

/**
 * Runs a job on this machine with the worker itself: on a copy of the checkout, without any server. The agent has the person's own
 * home, so that it is signed in as usual. The diff is kept in the git folder.
 */
export async function runHere(
  cli: Cli,
  flags: RunFlags,
  { text, spec }: { text: string; spec: Spec },
  env: Record<string, string>,
): Promise<void> {
  const { terminal } = cli;
  refuseCloudOptions(flags);
  const checkout = await checkoutOf(cli, flags.repo);
  const agent = flags.agent ?? spec.settings.agent ?? 'shell';
  if (agent === 'shell' && shellBlocks(spec.body).length === 0) throw new HangarError('spec_no_commands');
  if (spec.settings.image !== undefined) terminal.note('The image in the front matter does not count on this machine.');

  await endLostHere(cli, checkout);
  const id = newLocalId();
  const title = flags.title ?? spec.title;
  const started = Date.now();
  const owner = thisProcess();
  const dir = makeWorkFolder(id, owner);
  // Ctrl-C again: nothing of it is left but what was kept.
  const done = cli.beforeExit(() => {
    endProcesses(id, dir, 'and my children');
    removeWorkFolder(dir);
  });
  let run: KeptRun;
  try {
    const { source, commit, baseTree, changedFiles } = await sourceOf(checkout, flags.ref, dir, (line) =>
      terminal.warn(line),
    );
    await completeFiles(checkout, commit, (line) => terminal.note(line));
    const order: WorkOrder = {
      jobId: id,
      attempt: 1,
      title,
      spec: text,
      agent,
      repo: { url: null, ref: null, commit, bundle: false, patch: false, allowLocal: true },
      credential: null,
      env: { ...spec.settings.env, ...env },
      timeoutSeconds: flags.timeout ?? spec.settings.timeout ?? DEFAULT_TIMEOUT_SECONDS,
      heartbeatSeconds: 30,
      checkpointSeconds: 120,
      limits: { logBytes: MAX_BYTES, artifactBytes: MAX_BYTES },
    };
    terminal.note(
      `${id}: ${title}, ${agent} on this machine, on a copy of ${commit.slice(0, 10)}${changedFiles > 0 ? ` with ${plural(changedFiles, 'uncommitted file')}` : ''}.`,
    );
    // From the start: what a killed command leaves is found by its id.
    const begun: LocalRun = {
      ...{ id, title, commit, baseTree, startedAt: new Date(started).toISOString(), finishedAt: null },
      ...{ state: 'running', exitCode: null, reason: 'the agent is at work', failure: null, diff: null },
      ...{ owner, dir, repo: await repoOf(checkout) },
    };
    const kept = await openLocalRun(checkout, begun);
    const noted = notePlace(cli, checkout.commonDir);
    const finish = await work(cli, order, {
      channel: localChannel(cli, flags, kept.folder, (diff) => keepLocalRun({ ...kept, diff })),
      dir,
      source,
      beat: () => void beat(kept),
    }).catch(async (error: unknown) => {
      const { diff } = await readAgain(kept);
      const reason = error instanceof Error ? error.message : String(error);
      const finishedAt = new Date().toISOString();
      await keepLocalRun({ ...kept, diff, dir: null, state: 'failed', reason, finishedAt });
      throw error;
    });
    const { at: finishedAt, outcome: state, exitCode, reason, failure, diff } = finish;
    run = { ...kept, dir: null, finishedAt, state, exitCode, reason, failure, diff };
    await keepLocalRun(run);
    await noted;
  } finally {
    removeWorkFolder(dir);
    done();
  }
  await say(cli, flags, checkout, run);
}

/** Lets the worker do it. Ctrl-C stops the agent and keeps what it has done. */
async function work(
  { terminal, settings, signal }: Cli,
  order: WorkOrder,
  run: {
    readonly channel: WorkerChannel;
    readonly dir: string;
    readonly source: Source;
    readonly beat: () => void;
  },
): Promise<Finish> {
  const stop = new AbortController();
  const interrupted = () => {
    terminal.note('Stopping the agent; what it has done so far is kept. Ctrl-C again ends it at once.');
    stop.abort('The command was stopped.');
  };
  if (signal.aborted) interrupted();
  signal.addEventListener('abort', interrupted, { once: true });
  const beating = setInterval(run.beat, BEAT_MS);
  try {
    return await runWorkOrder(order, run.channel, {
      dir: join(run.dir, 'worker'),
      signal: stop.signal,
      env: { ...settings.env },
      source: run.source,
      ...(settings.env.HOME === undefined ? {} : { home: settings.env.HOME }),
    });
  } finally {
    clearInterval(beating);
    signal.removeEventListener('abort', interrupted);
  }
}

function refuseCloudOptions(flags: RunFlags): void {
  const given = (
    [
      ['--on', flags.on],
      ['--credential', flags.credential],
      ['--image', flags.image],
      ['--cpus', flags.cpus],
      ['--memory', flags.memory],
      ['--idempotency-key', flags.idempotencyKey],
    ] as const
  )
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (given.length > 0)
    throw new HangarError('usage', {
      message: `${given.join(', ')} ${given.length === 1 ? 'is' : 'are'} for runs on a server.`,
      wayOut: 'Add --cloud, or leave it out.',
    });
}

async function checkoutOf(cli: Cli, repo: string | undefined): Promise<Checkout> {
  if (repo === undefined) return needCheckout(await cli.checkout());
  const dir = resolve(cli.settings.cwd, repo);
  const found = await findCheckout(dir, { signal: cli.signal, env: cli.settings.env });
  if (found !== null) return found;
  throw new HangarError('not_a_checkout', {
    message: `${repo} is not a checkout on this machine.`,
    wayOut: 'Clone it first, or add --cloud.',
  });
}

async function repoOf(checkout: Checkout): Promise<RunRepo> {
  const [remote, root] = await Promise.all([findRemote(checkout), rootCommit(checkout)]);
  return { name: await nameOf(checkout, remote), url: remote?.url ?? null, root };
}

async function sourceOf(
  checkout: Checkout,
  ref: string | undefined,
  dir: string,
  warn: (line: string) => void,
): Promise<{ source: Source; commit: string; baseTree: string; changedFiles: number }> {
  const { git, root } = checkout;
  if (ref !== undefined) {
    const found = await git.attempt(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`]);
    if (found.code !== 0) throw new HangarError('ref_not_found', { message: `This checkout has no ref ${ref}.` });
    const commit = found.stdout.toString().trim();
    const baseTree = await git.line(['rev-parse', `${commit}^{tree}`]);
    return { source: { kind: 'checkout', dir: root, commit, patchFile: null }, commit, baseTree, changedFiles: 0 };
  }
  const commit = needHead(checkout);
  const { patchFile, baseTree, changedFiles, state, leftOut } = await packChanges(checkout, commit, dir);
  for (const line of await leftBehind(checkout, state, leftOut)) warn(line);
  return { source: { kind: 'checkout', dir: root, commit, patchFile }, commit, baseTree, changedFiles };
}

/** What the worker reports to, in place of a server: the terminal and a folder. */
function localChannel(
  cli: Cli,
  flags: RunFlags,
  folder: string,
  saved: (diff: DiffStat) => Promise<void>,
): WorkerChannel {
  const print = logPrinter(cli.terminal, { json: false, timestamps: false, split: false, aside: flags.json });
  let n = 0;
  const save = async (from: string, name: string) => {
    const target = join(folder, name);
    await copyFile(from, `${target}.part`);
    await rename(`${target}.part`, target);
  };
  return {
    fenced: new AbortController().signal,
    log: async (lines) => {
      await appendFile(join(folder, 'log'), lines.map((line) => `${JSON.stringify({ n: ++n, ...line })}\n`).join(''));
      await print(lines);
    },
    flush: async () => 0,
    report: async () => {},
    orders: (o) =>
      new Promise((resolve) => {
        const over = () => resolve({ cancel: false, reason: null });
        if (o.signal.aborted) over();
        else o.signal.addEventListener('abort', over, { once: true });
      }),
    download: async (what) => {
      throw new HangarError('internal', { message: `A run on this machine has no ${what} to fetch.` });
    },
    upload: async (upload) => {
      // Names of artifacts are chosen by the agent.
      if (upload.kind === 'diff') {
        await save(upload.file, 'diff');
        const { counts, sizeBytes, partial } = upload;
        if (counts !== undefined) await saved({ ...counts, sizeBytes, partial });
      } else await save(upload.file, artifactFile(upload.name));
    },
    finish: async (_finish: Finish) => {},
  };
}

async function say(cli: Cli, flags: RunFlags, checkout: Checkout, run: KeptRun): Promise<void> {
  const { terminal } = cli;
  const worked = run.state === 'succeeded';
  if (!worked) cli.endWith(cli.signal.aborted ? INTERRUPTED_EXIT_CODE : JOB_FAILED_EXIT_CODE);
  sayLocalEnding(cli, run);
  const json = localJson(run, diffFileOf(run));
  if (flags.apply && worked) return apply(cli, flags, checkout, run, json);
  if (flags.json) return terminal.json(flags.apply ? { ...json, applied: false } : json);
  if (run.diff === null) terminal.note('It left no diff.');
  else if (run.diff.filesChanged === 0) terminal.note('It changed nothing.');
  const cd = await wayTo(cli, checkout);
  terminal.next(...localNext(run).map((line) => `${cd}${line}`));
}

/** Applies the diff of a run to the checkout that it was made from, which need not be the one around the current folder. */
async function apply(cli: Cli, flags: RunFlags, checkout: Checkout, run: KeptRun, json: object): Promise<void> {
  const { terminal, settings } = cli;
  const cd = await wayTo(cli, checkout);
  const file = diffFileOf(run);
  const there: Cli = {
    ...cli,
    settings: { ...settings, cwd: checkout.root },
    checkout: async () => checkout,
    terminal: {
      ...terminal,
      next: (...lines) => terminal.next(...lines.map((line) => `${cd}${line}`)),
      // One object for both: what was applied, and how it ended, with the commit it began with.
      json: (pulled) => terminal.json({ ...(pulled as object), ...json }),
    },
  };
  const { pullFetched } = await import('../pull-fetched.ts');
  try {
    await pullFetched(
      there,
      { json: flags.json, check: false, stat: false, stash: false },
      {
        jobId: run.id,
        title: run.title,
        file,
        partial: false,
        baseCommit: run.commit,
        sent: { commit: run.commit, baseTree: run.baseTree },
        dispose: async () => {},
      },
    );
  } catch (error) {
    if (!(error instanceof HangarError) || error.details?.applied === true) throw error;
    throw new HangarError(error.code, {
      message: `The run succeeded, but its diff was not applied: ${error.message}`,
      wayOut: `${error.wayOut} The diff is kept: ${cd}hangar pull ${run.id}`,
      ...(error.details === undefined ? {} : { details: error.details }),
      cause: error,
    });
  }
}

/** What has to stand before a command for another checkout than the one around the current folder. */
async function wayTo(cli: Cli, { root, gitDir }: Checkout): Promise<string> {
  const around = await cli.checkout().catch(() => null);
  return around?.gitDir === gitDir ? '' : `cd ${shellWord(root)} && `;
}
