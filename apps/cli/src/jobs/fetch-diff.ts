import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HangarError } from '@hangar/contract/errors';
import { isFinal } from '@hangar/contract/state-words';
import { JOB_WORDS } from '@hangar/contract/words/job';
import { formatBytes } from '@hangar/contract/words/size';
import { type Checkout, needCheckout } from '../checkout/checkout.ts';
import { recallSent, type Sent } from '../checkout/send/sent.ts';
import type { Cli } from '../cli.ts';
import type { GlobalFlags } from '../command.ts';
import { isPassing, whyLost } from '../server/http.ts';
import { throughBreaks } from '../server/through-breaks.ts';
import { naming } from '../terminal/file-trouble.ts';
import { isLocalRun, refuseForeign } from './job-id.ts';
import { hasResult, isOfCheckout, type KeptRun, localDiff, sourceOfRun } from './local/local-runs.ts';
import { needLocalRun, settledRuns } from './local/lost-runs.ts';
import { newestHere } from './newest.ts';

const PATIENCE_MS = 5 * 60_000;

export interface FetchedDiff {
  /** Of the job, run or sandbox. */
  readonly jobId: string;
  /** The command that pulls it, where the id alone does not say all. */
  readonly pull?: string;
  /** Of a job or run when left out. */
  readonly of?: 'sandbox';
  readonly title: string;
  /** null: the job changed nothing. */
  readonly file: string | null;
  readonly partial: boolean;
  /** What the agent made and the diff does not hold, in words of the worker. */
  readonly leftOut?: readonly string[];
  readonly baseCommit: string | null;
  readonly sent: Sent | null;
  dispose(): Promise<void>;
}

export interface DiffWish {
  /** The newest run of this machine. */
  readonly local: boolean;
  /** It is for the files of this checkout, not only to be looked at. */
  readonly forCheckout: boolean;
  /** Also when the job is of another repository than the checkout. */
  readonly anyway: boolean;
}

/**
 * The diff of a job in a file, from the server or of a run on this machine.
 * @throws HangarError job_not_found, job_not_ended, diff_not_found, job_of_other_repository
 */
export async function fetchDiff(
  cli: Cli,
  flags: GlobalFlags & DiffWish,
  given: string | undefined,
): Promise<FetchedDiff> {
  if (flags.local) return localRunDiff(cli, flags, given);
  const id = given ?? (await newestHere(cli, flags.server, { ended: true }));
  if (isLocalRun(id)) return localRunDiff(cli, given === undefined ? { ...flags, anyway: true } : flags, id);
  const api = await cli.api(flags.server);
  const job = await api.client.jobs.get({ id });
  if (!isFinal(job.state))
    throw new HangarError('job_not_ended', {
      message: `${id} has not ended yet: it is ${JOB_WORDS[job.state].word}.`,
      wayOut: `Wait for it: hangar logs ${id} --follow, or cancel it: hangar cancel ${id}`,
    });
  const checkout = flags.forCheckout ? await cli.checkout() : null;
  if (checkout !== null && given !== undefined && !flags.anyway) await refuseForeign(checkout, job);
  const common = {
    jobId: id,
    title: job.title,
    partial: job.diff?.partial === true || job.state !== 'succeeded',
    leftOut: job.diff?.leftOut ?? [],
    baseCommit: job.repo.commit,
    sent: checkout === null ? null : await recallSent(checkout, id),
  };
  if (job.diff?.filesChanged === 0) return { ...common, file: null, dispose: async () => {} };
  if (job.diff === null)
    throw new HangarError('diff_not_found', {
      message: `${id} has left no diff: it ${job.state === 'succeeded' ? 'succeeded without one' : `is ${JOB_WORDS[job.state].word}`}.`,
      wayOut: `See why: hangar status ${id}`,
    });

  const dir = await mkdtemp(join(tmpdir(), 'hangar-diff-'));
  const dispose = () => rm(dir, { recursive: true, force: true });
  const file = join(dir, 'diff');
  const progress = cli.terminal.progress('Fetching the diff');
  try {
    // Breaks are ridden out: the job is done, and nothing else is needed from the server.
    await throughBreaks({ terminal: cli.terminal, signal: cli.signal, patienceMs: PATIENCE_MS }, async () => {
      const response = await api.request(`/jobs/${id}/artifacts/diff`);
      let received = 0;
      const body = Readable.from(response.body);
      body.on('data', (chunk: Uint8Array) => {
        received += chunk.length;
        progress.update(
          `Fetching the diff: ${formatBytes(received)} of ${formatBytes(job.diff?.sizeBytes ?? received)}`,
        );
      });
      await naming(file, pipeline(body, createWriteStream(file, { mode: 0o600 }), { signal: cli.signal }));
    });
    return { ...common, file, dispose };
  } catch (error) {
    await dispose();
    if (cli.signal.aborted || !isPassing(error)) throw error;
    throw new HangarError('server_unreachable', {
      message: 'The connection broke while the diff was on its way.',
      wayOut: `Try again: hangar pull ${id}`,
      details: { reason: whyLost(error) },
      cause: error,
    });
  } finally {
    progress.done();
  }
}

async function localRunDiff(cli: Cli, flags: DiffWish, given: string | undefined): Promise<FetchedDiff> {
  const checkout = await cli.checkout();
  const run = given === undefined ? await newestResult(cli, needCheckout(checkout)) : await needLocalRun(cli, given);
  if (checkout !== null && flags.forCheckout && !flags.anyway && !(await isOfCheckout(checkout, run)))
    await refuseForeign(checkout, sourceOfRun(run));
  if (given === undefined) cli.terminal.note(`${run.id}, the newest run here: ${run.title}`);
  if (run.state === 'running')
    throw new HangarError('job_not_ended', {
      message: `${run.id} has not ended yet.`,
      wayOut: `Wait for it: hangar logs ${run.id} --follow, or cancel it: hangar cancel ${run.id}`,
    });
  if (run.diff === null)
    throw new HangarError('diff_not_found', {
      message: `${run.id} has left no diff: ${run.reason}`,
      wayOut: `See why: hangar logs ${run.id}, or run it again: hangar run --spec SPEC.md`,
    });
  return {
    jobId: run.id,
    title: run.title,
    file: run.diff.filesChanged === 0 ? null : localDiff(run),
    partial: run.diff.partial || run.state !== 'succeeded',
    leftOut: run.diff.leftOut ?? [],
    baseCommit: run.commit,
    sent: { commit: run.commit, baseTree: run.baseTree },
    dispose: async () => {},
  };
}

/** @throws HangarError job_not_found */
async function newestResult(cli: Cli, checkout: Checkout): Promise<KeptRun> {
  const run = (await settledRuns(cli, checkout)).find(hasResult);
  if (run !== undefined) return run;
  throw new HangarError('job_not_found', {
    message: 'There was no run of this repository on this machine.',
    wayOut: 'Run one: hangar run --spec SPEC.md',
  });
}
