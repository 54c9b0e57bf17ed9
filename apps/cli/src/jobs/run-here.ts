import { appendFile, copyFile, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type DiffStat, type Finish, type Spec, shellBlocks, type WorkOrder } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { runWorkOrder, type Source, type WorkerChannel } from '@hangar/worker';
import { type Checkout, findCheckout, needCheckout, needHead } from '../checkout/checkout.ts';
import { packChanges } from '../checkout/parcel.ts';
import { completeFiles } from '../checkout/partial-clone.ts';
import type { Cli } from '../cli.ts';
import type { RunFlags } from '../commands/jobs/run.ts';
import { INTERRUPTED_EXIT_CODE } from '../terminal/failure.ts';
import { count, duration } from '../terminal/words.ts';
import { endProcesses } from './end-processes.ts';
import { keepLocalRun, type LocalRun, localDiff, newLocalId, openLocalRun } from './local-runs.ts';
import { logPrinter } from './show-log.ts';
import { JOB_FAILED_EXIT_CODE } from './wait.ts';

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
  const { terminal, settings, signal } = cli;
  refuseCloudOptions(flags);
  const checkout = await checkoutOf(cli, flags.repo);
  const agent = flags.agent ?? spec.settings.agent ?? 'shell';
  if (agent === 'shell' && shellBlocks(spec.body).length === 0) throw new HangarError('spec_no_commands');
  if (spec.settings.image !== undefined) terminal.note('The image in the front matter does not count on this machine.');

  const id = newLocalId();
  const title = flags.title ?? spec.title;
  const started = Date.now();
  const dir = await mkdtemp(join(tmpdir(), 'hangar-run-'));
  try {
    const { source, commit, baseTree, changedFiles } = await sourceOf(checkout, flags.ref, dir);
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
      `${id}: ${title}, ${agent} on this machine, on a copy of ${commit.slice(0, 10)}${changedFiles > 0 ? ` with ${count(changedFiles, 'uncommitted file')}` : ''}.`,
    );
    const folder = await openLocalRun(checkout, id);
    // From the start: what a killed command leaves is found by its id.
    const begun: LocalRun = {
      ...{ id, title, commit, baseTree, startedAt: new Date(started).toISOString(), finishedAt: null },
      ...{ state: 'running', exitCode: null, reason: 'the agent is at work', failure: null, diff: null },
      ...{ pid: process.pid, dir },
    };
    await keepLocalRun(checkout, begun);
    const saved = (diff: DiffStat) => keepLocalRun(checkout, { ...begun, diff });
    const stop = new AbortController();
    const interrupted = () => {
      terminal.note('Stopping the agent; what it has done so far is kept. Ctrl-C again ends it at once.');
      stop.abort('The command was stopped.');
    };
    if (signal.aborted) interrupted();
    signal.addEventListener('abort', interrupted, { once: true });
    const done = cli.beforeExit(() => endProcesses(id));
    const finish = await runWorkOrder(order, localChannel(cli, flags, folder, saved), {
      dir: join(dir, 'worker'),
      signal: stop.signal,
      env: { ...settings.env },
      source,
      ...(settings.env.HOME === undefined ? {} : { home: settings.env.HOME }),
    }).finally(() => {
      done();
      signal.removeEventListener('abort', interrupted);
    });
    const run: LocalRun = {
      ...begun,
      ...{
        finishedAt: finish.at,
        state: finish.outcome,
        exitCode: finish.exitCode,
        reason: finish.reason,
        failure: finish.failure,
        diff: finish.diff,
      },
    };
    await keepLocalRun(checkout, run);
    await say(cli, flags, checkout, run, (Date.now() - started) / 1000);
  } finally {
    await rm(dir, { recursive: true, force: true });
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
  const found = await findCheckout(dir, { signal: cli.signal, env: cli.settings.env }).catch(() => null);
  if (found !== null) return found;
  throw new HangarError('not_a_checkout', {
    message: `${repo} is not a checkout on this machine.`,
    wayOut: 'Clone it first, or add --cloud.',
  });
}

async function sourceOf(
  checkout: Checkout,
  ref: string | undefined,
  dir: string,
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
  const { patchFile, baseTree, changedFiles } = await packChanges(checkout, commit, dir);
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
      } else await save(upload.file, `artifact-${upload.name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`);
    },
    finish: async (_finish: Finish) => {},
  };
}

async function say(cli: Cli, flags: RunFlags, checkout: Checkout, run: LocalRun, seconds: number): Promise<void> {
  const { terminal } = cli;
  const { id, state, diff } = run;
  const worked = state === 'succeeded';
  if (!worked) cli.endWith(cli.signal.aborted ? INTERRUPTED_EXIT_CODE : JOB_FAILED_EXIT_CODE);
  const word = worked ? terminal.errColor.green('✓ succeeded') : terminal.errColor.red(`✗ ${state.replace('_', ' ')}`);
  terminal.note(
    `${word} after ${duration(seconds)}${run.failure === null ? '' : `: ${run.failure.message} ${run.failure.wayOut.replaceAll(' ID', ` ${id}`)}`}`,
  );
  const diffFile = diff === null || diff.filesChanged === 0 ? null : localDiff(checkout, id);
  if (flags.apply && worked && diffFile !== null) {
    const { pullFetched } = await import('./pull-fetched.ts');
    return pullFetched(
      cli,
      { json: flags.json, check: false, stat: false, stash: false },
      {
        jobId: id,
        title: run.title,
        file: diffFile,
        partial: false,
        baseCommit: run.commit,
        sent: { commit: run.commit, baseTree: run.baseTree },
        dispose: async () => {},
      },
    );
  }
  if (flags.json) {
    const { exitCode, reason, failure } = run;
    return terminal.json({ id, state, exitCode, reason, failure, diff, diffFile });
  }
  if (diffFile === null) terminal.note(diff === null ? 'It left no diff.' : 'It changed nothing.');
  else terminal.next(`hangar pull ${id}`, `hangar pull ${id} --stat`);
}
