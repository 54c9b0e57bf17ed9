import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, HangarError, workerSeconds } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Database } from '../../platform/database/index.ts';
import { createReconciler } from '../../platform/reconcile/reconciler.ts';
import { failureOf } from './job-endings.ts';
import type { Action } from './job-facts.ts';
import type { Holds } from './job-holds.ts';
import { sinceWhen } from './job-lifecycle.ts';
import { unitOf } from './job-moves.ts';
import { Fenced, type JobsStore, type SeenOrWanted } from './jobs-store.ts';
import { ADMISSION_CHANNEL, type JobRow, type SeenUnit } from './jobs-tables.ts';
import type { Launcher, UnitState } from './launcher.ts';

export interface JobsReconcilerParts {
  readonly database: Database;
  readonly store: JobsStore;
  readonly log: Logger;
  /** Number of the settings that a profile has now. @throws HangarError profile_not_found */
  readonly revisionOf: (profile: string) => Promise<number>;
  /** The launcher with these settings, though the profile be changed or gone. @throws HangarError profile_not_found, driver_unknown */
  readonly launcherOf: (profile: string, revision: number) => Promise<Launcher>;
  readonly workerToken: (jobId: string, attempt: number) => string;
  readonly holds: Holds;
  /** Of those who are there. */
  readonly jobsAtOnceOfUsers: (userIds: readonly string[]) => Promise<ReadonlyMap<string, number>>;
  readonly jobsAtOnceOfProfiles: () => Promise<ReadonlyMap<string, number>>;
  readonly jobsAtOnce: number;
  /** A line of Hangar itself in the job's log; with the same key it is said once. */
  readonly say: (jobId: string, key: string, text: string) => Promise<void>;
  /** Closes the log. Idempotent. */
  readonly endLog: (jobId: string, state: string) => Promise<void>;
}

const RETRY: readonly ErrorCode[] = ['driver_unavailable', 'disk_full', 'internal', 'launch_failed', 'quota_refused'];
const CALL_MS = 60_000;
const LAST_WORDS_MS = 10_000;
/** When jobs come and go by the hundred, who is let in is decided for many at a time. */
const ADMIT_PAUSE_MS = 25;
/** An image may take its time to be pulled. */
const LAUNCH_MS = 15 * 60_000;
const HANDLED_AT_ONCE = 32;
/** Of those: jobs that wait for their images leave room for those that are to be ended, asked after and cleaned. */
const LAUNCHES = 24;
const LAUNCH_PAUSE_MS = 500;
const ASK_AGAIN_MS = 10_000;
/** Of an ended job: what is left of it can wait, the longer the longer nobody could be asked. */
const ASK_ENDED_MOST_MS = 10 * 60_000;
const TRY_AGAIN_MS = 2_000;
const TRY_AGAIN_MOST_MS = 5 * 60_000;
/** How often a launch that takes long looks whether the job is still wanted. */
const WANTED_MS = 1_000;

/** Acts on what `decide` says, through the launcher of each job, and lets waiting jobs start. */
export function createJobsReconciler(parts: JobsReconcilerParts) {
  const { store, log } = parts;
  const reconciler = createReconciler({
    database: parts.database,
    table: 'job',
    concurrency: HANDLED_AT_ONCE,
    log,
    handle: async (claimed, signal) => handle(claimed.id, claimed.claim, signal),
  });

  /** How often in a row handling a job has failed. */
  const failures = new Map<string, number>();

  async function handle(id: string, claim: number, signal: AbortSignal): Promise<number | null> {
    try {
      const wakeMs = await turn(id, claim, signal);
      failures.delete(id);
      return wakeMs;
    } catch (error) {
      if (error instanceof Fenced) return null;
      if (signal.aborted) throw error;
      // What is to be done next is due at once: without a pause it would be tried again as fast as it fails.
      const before = failures.get(id) ?? 0;
      failures.set(id, before + 1);
      const ms = Math.min(TRY_AGAIN_MOST_MS, TRY_AGAIN_MS * 2 ** before);
      log.warn({ err: error, job: id, again: ms }, 'handling a job failed; trying again');
      return pause(id, claim, ms).catch(() => ms);
    }
  }

  async function turn(id: string, claim: number, signal: AbortSignal): Promise<number | null> {
    let advanced = await store.advance(id, () => ({}), claim);
    // Each action is followed by a look at what it made of the job; asking is done once a turn.
    for (let turns = 0; turns < 7; turns++) {
      const { action } = advanced.decision;
      if (action.kind === 'none') break;
      if (action.kind === 'launch' && launching >= LAUNCHES) return pause(id, claim, LAUNCH_PAUSE_MS);
      const seen = await act(advanced.row, action, claim, signal).catch((error: unknown) => outOfReach(error, signal));
      if (typeof seen === 'string') {
        const ms = askAgainMs(advanced.row);
        log.info({ job: id, action: action.kind, why: seen, again: ms }, 'the driver cannot be reached');
        advanced = await store.advance(id, (row, now) => ({ unit: unknown(seen, row, now) }), claim, ms);
        // Followers of a job that ends with this are told without the driver.
        if (advanced.decision.action.kind === 'tell') continue;
        return ms;
      }
      advanced = await store.advance(id, (row, now) => seen(now, row), claim);
      if (action.kind === 'inspect') break;
    }
    return advanced.decision.wakeMs;
  }

  async function pause(id: string, claim: number, ms: number): Promise<number> {
    await store.advance(id, () => ({}), claim, ms);
    return ms;
  }

  async function act(
    row: JobRow,
    action: Action,
    claim: number,
    signal: AbortSignal,
  ): Promise<(now: Date, row: JobRow) => SeenOrWanted> {
    const unit = { jobId: row.id, attempt: row.attempt };
    const o = () => ({ signal: within(signal, CALL_MS) });
    switch (action.kind) {
      case 'none':
        return () => ({});
      case 'launch':
        return launch(row, claim, signal);
      case 'inspect': {
        const state = (await (await startedBy(row))?.inspect(unit, o())) ?? ({ kind: 'missing' } as const);
        return (now, before) => ({ unit: seenUnit(state, before, now) });
      }
      case 'kill':
        await (await startedBy(row))?.cancel(unit, { ...o(), graceMs: 15_000 });
        return (now) => ({ killedAt: now, killedFor: action.why });
      case 'tell':
        if (row.claimedAt === null && row.launchedAt !== null) await keepLastWords(row, signal);
        await parts.endLog(row.id, row.state);
        return (now) => ({ toldAt: now });
      case 'clean':
        await (await startedBy(row))?.remove(unit, o());
        return (now) => ({ cleanedAt: now });
    }
  }

  /** The launcher that started the unit, or was about to; null: nobody was. */
  async function startedBy(row: JobRow): Promise<Launcher | null> {
    return row.profileRevision === null ? null : parts.launcherOf(row.profile, row.profileRevision);
  }

  /** Of a worker that never spoke, what its unit printed goes to the job's log: nobody else knows why. */
  async function keepLastWords(row: JobRow, signal: AbortSignal): Promise<void> {
    try {
      const launcher = await startedBy(row);
      const unit = { jobId: row.id, attempt: row.attempt };
      const lines = (await launcher?.lastWords?.(unit, { signal: within(signal, LAST_WORDS_MS) })) ?? [];
      for (const [n, line] of lines.entries()) await parts.say(row.id, `${row.attempt} unit ${n}`, `worker: ${line}`);
    } catch (error) {
      if (signal.aborted) throw error;
      log.debug({ err: error, job: row.id }, 'cannot read what a unit printed');
    }
  }

  let launching = 0;
  async function launch(row: JobRow, claim: number, signal: AbortSignal): Promise<(now: Date) => SeenOrWanted> {
    const cancelled = new AbortController();
    const watch = setInterval(() => void stopWhenCancelled(row.id, cancelled), WANTED_MS);
    const telling = tell(row);
    launching += 1;
    try {
      const launcher = await parts.launcherOf(row.profile, await settle(row, claim, signal));
      await launcher.launch(
        {
          jobId: row.id,
          attempt: row.attempt,
          workerToken: parts.workerToken(row.id, row.attempt),
          image: row.image,
          resources: row.resources,
          deadlineSeconds: workerSeconds(row.timeoutSeconds),
        },
        { signal: within(AbortSignal.any([signal, cancelled.signal]), LAUNCH_MS), say: telling.say },
      );
      return (now) => ({ launchedAt: now, launchFault: null, launchTries: row.launchTries + 1, reportedReason: null });
    } catch (error) {
      if (signal.aborted || error instanceof Fenced) throw error;
      // What was begun is ended with the job.
      if (cancelled.signal.aborted) return () => ({ reportedReason: null });
      const known = error instanceof HangarError ? error : new HangarError('launch_failed', { cause: error });
      if (!(error instanceof HangarError)) log.warn({ err: error, job: row.id }, 'launch failed');
      const failure = { ...failureOf(known.code, known.message.slice(0, REASON_MOST)), wayOut: known.wayOut };
      return (now) => ({
        launchFault: { failure, retry: RETRY.includes(known.code), at: now.toISOString() },
        launchTries: row.launchTries + 1,
        reportedReason: null,
      });
    } finally {
      launching -= 1;
      clearInterval(watch);
      await telling.told();
    }
  }

  /**
   * Which settings the unit is started with, written down before. After a launch that failed those that the profile has by now, which an
   * admin may have mended; else those of before: the unit may be there.
   */
  async function settle(row: JobRow, claim: number, signal: AbortSignal): Promise<number> {
    const before = row.profileRevision;
    if (before !== null && row.launchFault === null) return before;
    const revision = await parts.revisionOf(row.profile);
    if (revision === before) return revision;
    if (before !== null) {
      const unit = { jobId: row.id, attempt: row.attempt };
      // What half of a launch may have left goes; where nobody answers, nothing was made.
      await (await parts.launcherOf(row.profile, before))
        .remove(unit, { signal: within(signal, LAST_WORDS_MS) })
        .catch((error: unknown) => log.info({ err: error, job: row.id }, 'cannot look for what a failed launch left'));
    }
    await store.advance(row.id, () => ({ profileRevision: revision }), claim);
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
            isNew ? parts.say(row.id, `${row.attempt} ${what}`, what).catch(untold) : null,
            store.advance(row.id, () => ({ reportedReason: reason.slice(0, REASON_MOST) })).catch(untold),
          ]);
        });
      },
      told: () => last,
    };
  }

  let admitting: Promise<void> | null = null;
  let again = false;
  let lastPass = Number.NEGATIVE_INFINITY;
  /** One pass at a time in this process; a poke during a pass, or soon after it, makes another a moment later. */
  function admit(): Promise<void> {
    if (admitting) {
      again = true;
      return admitting;
    }
    admitting = (async () => {
      do {
        const pause = lastPass + ADMIT_PAUSE_MS - performance.now();
        if (pause > 0) await sleep(pause);
        again = false;
        await store.admit(
          async (users) => {
            const [ofUsers, ofProfiles, held] = await Promise.all([
              parts.jobsAtOnceOfUsers(users),
              parts.jobsAtOnceOfProfiles(),
              parts.holds(users),
            ]);
            return {
              ofUser: (userId) => (held.has(userId) ? 0 : (ofUsers.get(userId) ?? 1)),
              ofProfile: (profile) => ofProfiles.get(profile) ?? Number.POSITIVE_INFINITY,
              total: parts.jobsAtOnce,
            };
          },
          { perUser: 200, places: parts.jobsAtOnce },
        );
        lastPass = performance.now();
      } while (again);
    })()
      .catch((error: unknown) => log.warn({ err: error }, 'cannot admit; trying again'))
      .finally(() => {
        admitting = null;
      });
    return admitting;
  }

  let listener: { close(): Promise<void> } | undefined;
  let timer: NodeJS.Timeout | undefined;

  return {
    async start(): Promise<void> {
      listener = await parts.database.listen(
        ADMISSION_CHANNEL,
        () => void admit(),
        () => void admit(),
      );
      // A lost notification costs no more than this.
      timer = setInterval(() => void admit(), 5_000);
      await reconciler.start();
      void admit();
    },
    async stop(signal?: AbortSignal): Promise<void> {
      clearInterval(timer);
      await listener?.close();
      await admitting;
      await reconciler.stop(signal);
    },
  };
}

/** A driver that this server does not offer, or settings that nobody knows any more: as if nobody answered. */
const OUT_OF_REACH: ReadonlySet<ErrorCode> = new Set(['driver_unavailable', 'driver_unknown', 'profile_not_found']);

/** What to say of a driver that does not answer; anything else is thrown again. */
function outOfReach(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) throw error;
  if (error instanceof HangarError && OUT_OF_REACH.has(error.code)) return error.message;
  if (error instanceof Error && error.name === 'TimeoutError') return 'Its driver does not answer in time.';
  throw error;
}

function askAgainMs({ finishedAt }: JobRow): number {
  if (finishedAt === null) return ASK_AGAIN_MS;
  return Math.min(ASK_ENDED_MOST_MS, Math.max(ASK_AGAIN_MS, (Date.now() - finishedAt.getTime()) / 10));
}

const REASON_MOST = 2_000;

function unknown(reason: string, before: JobRow, now: Date): SeenUnit {
  return {
    ...{ kind: 'unknown', exitCode: null, outOfMemory: false, reason: reason.slice(0, REASON_MOST) },
    ...{ since: sinceOf(before, 'unknown', now), at: now.toISOString() },
  };
}

function seenUnit(state: UnitState, before: JobRow, now: Date): SeenUnit {
  return {
    kind: state.kind,
    exitCode: state.kind === 'exited' ? state.exitCode : null,
    outOfMemory: state.kind === 'exited' && state.outOfMemory,
    reason: 'reason' in state ? state.reason.slice(0, REASON_MOST) : '',
    ...(state.kind === 'exited' && state.code !== undefined ? { code: state.code } : {}),
    ...{ since: sinceOf(before, state.kind, now), at: now.toISOString() },
  };
}

const sinceOf = (row: JobRow, kind: SeenUnit['kind'], now: Date): string =>
  new Date(sinceWhen(unitOf(row), kind, now.getTime())).toISOString();

function within(signal: AbortSignal, ms: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}
