import { type ErrorCode, HangarError, workerSeconds } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Acting } from '../../../platform/reconcile/acting.ts';
import type { Change } from '../../../platform/reconcile/reconciled.ts';
import { Fenced } from '../../../platform/reconcile/reconciled.ts';
import { within } from '../../../platform/waits.ts';
import { failureOf } from '../lifecycle/job-endings.ts';
import { TOO_EARLY } from '../lifecycle/job-facts.ts';
import { REASON_MOST } from '../lifecycle/job-moves.ts';
import type { SeenOrWanted } from '../lifecycle/job-noun.ts';
import type { LogsOfJobs, ProfilesOfJobs, SandboxesOfJobs } from '../needs.ts';
import type { JobsStore } from '../store/jobs-store.ts';
import type { JobRow } from '../store/jobs-tables.ts';

const RETRY: readonly ErrorCode[] = [
  ...(['driver_unavailable', 'disk_full', 'internal', 'launch_failed', 'quota_refused'] as const),
  // Of a sandbox that is there.
  ...(['connection_lost', 'quota_executions', 'sandbox_paused', 'sandbox_not_ready'] as const),
];
/** An image may take its time to be pulled. */
const LAUNCH_MS = 15 * 60_000;
/** What the program that a job's unit runs is called: drivers are given it by this name. */
export const WORKER = 'worker';
const LEFTOVERS_MS = 10_000;
/** How often a launch that takes long looks whether the job is still wanted. */
const WANTED_MS = 1_000;

export interface LaunchParts {
  readonly store: Pick<JobsStore, 'advance' | 'isCancelled'>;
  readonly profiles: Pick<ProfilesOfJobs, 'revisionOf' | 'reach'>;
  readonly sandboxes: Pick<SandboxesOfJobs, 'backend'>;
  readonly workerToken: (jobId: string, attempt: number) => string;
  readonly logs: Pick<LogsOfJobs, 'appendSystem'>;
  readonly log: Logger;
}

/** Starts the unit of a job, and tells its people how that goes. */
export function createLaunch({ store, profiles, sandboxes, workerToken, logs, log }: LaunchParts) {
  async function launch(row: JobRow, { claim, signal }: Acting): Promise<Change<JobRow, SeenOrWanted>> {
    const cancelled = new AbortController();
    const watch = setInterval(() => void stopWhenCancelled(row.id, cancelled), WANTED_MS);
    const telling = tell(row);
    try {
      const { units } =
        row.sandboxId === null
          ? await profiles.reach(row.profile, await chooseRevision(row, claim, signal))
          : sandboxes.backend(row.sandboxId);
      await units.ensure(
        {
          key: { id: row.id, attempt: row.attempt },
          program: { kind: 'brought', name: WORKER, input: workerToken(row.id, row.attempt) },
          image: row.image,
          resources: row.resources,
          deadlineSeconds: workerSeconds(row.timeoutSeconds),
        },
        { signal: within(AbortSignal.any([signal, cancelled.signal]), LAUNCH_MS), say: telling.say },
      );
      return (_row, now) => ({
        ...{ launchedAt: now, launchFault: null, launchTries: row.launchTries + 1, reportedReason: null },
      });
    } catch (error) {
      if (signal.aborted || error instanceof Fenced) throw error;
      // What was begun is ended with the job.
      if (cancelled.signal.aborted) return () => ({ reportedReason: null });
      const known = error instanceof HangarError ? error : new HangarError('launch_failed', { cause: error });
      if (!(error instanceof HangarError)) log.warn({ err: error, job: row.id }, 'launch failed');
      const failure = { ...failureOf(known.code, known.message.slice(0, REASON_MOST)), wayOut: known.wayOut };
      return (_row, now) => ({
        launchFault: { failure, retry: RETRY.includes(known.code), at: now.toISOString() },
        launchTries: row.launchTries + (TOO_EARLY.has(known.code) ? 0 : 1),
        reportedReason: null,
      });
    } finally {
      clearInterval(watch);
      await telling.told();
    }
  }

  /**
   * Which settings the unit is started with, written down before. After a launch that failed those that the profile has by now, which an
   * admin may have mended; else those of before: the unit may be there.
   */
  async function chooseRevision(row: JobRow, claim: number, signal: AbortSignal): Promise<number> {
    const before = row.profileRevision;
    if (before !== null && row.launchFault === null) return before;
    const revision = await profiles.revisionOf(row.profile);
    if (revision === before) return revision;
    if (before !== null) {
      const key = { id: row.id, attempt: row.attempt };
      // What half of a launch may have left goes; where nobody answers, nothing was made.
      const { units } = await profiles.reach(row.profile, before);
      await units
        .remove(key, { signal: within(signal, LEFTOVERS_MS) })
        .catch((error: unknown) => log.info({ err: error, job: row.id }, 'cannot look for what a failed launch left'));
    }
    await store.advance(row.id, () => ({ profileRevision: revision }), { claim });
    return revision;
  }

  async function stopWhenCancelled(id: string, stop: AbortController): Promise<void> {
    if (await store.isCancelled(id).catch(() => false)) stop.abort(new Error('the job was cancelled'));
  }

  /** What takes long while a job is launched is its reason. Its log gets the first word of each thing, and no progress. */
  function tell(row: JobRow): { say: (reason: string) => void; told: () => Promise<void> } {
    const said = new Set<string>();
    let last = Promise.resolve();
    const untold = (error: unknown) => log.warn({ err: error, job: row.id }, 'cannot tell how a launch goes');
    return {
      say(reason) {
        const what = reason.replace(/ \(.*\)$/, '');
        const isNew = !said.has(what);
        said.add(what);
        last = last.then(async () => {
          await Promise.all([
            isNew ? logs.appendSystem(row.id, what, { key: `${row.attempt} ${what}` }).catch(untold) : null,
            store.advance(row.id, () => ({ reportedReason: reason.slice(0, REASON_MOST) })).catch(untold),
          ]);
        });
      },
      told: () => last,
    };
  }

  return launch;
}
