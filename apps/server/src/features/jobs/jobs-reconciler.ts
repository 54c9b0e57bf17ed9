import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Database } from '../../platform/database/index.ts';
import { createReconciler } from '../../platform/reconcile/reconciler.ts';
import { chooseNext } from './job-fairness.ts';
import type { Holds } from './job-holds.ts';
import { type Action, failureOf } from './job-lifecycle.ts';
import { Fenced, type JobsStore, type SeenOrWanted } from './jobs-store.ts';
import { ADMISSION_CHANNEL, type JobRow, type SeenUnit } from './jobs-tables.ts';
import type { Launcher } from './launcher.ts';

export interface JobsReconcilerParts {
  readonly database: Database;
  readonly store: JobsStore;
  readonly log: Logger;
  /** The launcher of a job's profile. @throws HangarError profile_not_found */
  readonly launcherOf: (profile: string) => Promise<Launcher>;
  readonly workerToken: (jobId: string, attempt: number) => string;
  readonly holds: Holds;
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
const TRY_AGAIN_MS = 2_000;
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

  async function handle(id: string, claim: number, signal: AbortSignal): Promise<number | null> {
    try {
      let advanced = await store.advance(id, () => ({}), claim);
      // Each action is followed by a look at what it made of the job; asking is done once a turn.
      for (let turns = 0; turns < 6; turns++) {
        const { action } = advanced.decision;
        if (action.kind === 'none') break;
        if (action.kind === 'launch' && launching >= LAUNCHES) return await pause(LAUNCH_PAUSE_MS);
        const seen = await act(advanced.row, action, signal).catch((error: unknown) => outOfReach(error, signal));
        if (typeof seen === 'string') {
          log.info({ job: id, action: action.kind, why: seen }, 'the driver cannot be reached');
          await store.advance(id, (row, now) => ({ unit: unknown(seen, row, now) }), claim, ASK_AGAIN_MS);
          return ASK_AGAIN_MS;
        }
        advanced = await store.advance(id, (_row, now) => seen(now), claim);
        if (action.kind === 'inspect') break;
      }
      return advanced.decision.wakeMs;
    } catch (error) {
      if (error instanceof Fenced) return null;
      // What was to be done next was due at once: without a pause it would be tried again as fast as it fails.
      if (!signal.aborted) await pause(TRY_AGAIN_MS).catch(() => undefined);
      throw error;
    }

    async function pause(ms: number): Promise<number> {
      await store.advance(id, () => ({}), claim, ms);
      return ms;
    }
  }

  async function act(row: JobRow, action: Action, signal: AbortSignal): Promise<(now: Date) => SeenOrWanted> {
    const unit = { jobId: row.id, attempt: row.attempt };
    switch (action.kind) {
      case 'none':
        return () => ({});
      case 'launch':
        return launch(row, signal);
      case 'inspect': {
        const state = await (await parts.launcherOf(row.profile)).inspect(unit, { signal: within(signal, CALL_MS) });
        return (now) => ({
          unit: {
            kind: state.kind,
            exitCode: state.kind === 'exited' ? state.exitCode : null,
            outOfMemory: state.kind === 'exited' && state.outOfMemory,
            reason: 'reason' in state ? state.reason : '',
            ...(state.kind === 'exited' && state.code !== undefined ? { code: state.code } : {}),
            at: now.toISOString(),
          },
        });
      }
      case 'kill':
        await (await parts.launcherOf(row.profile)).cancel(unit, { signal: within(signal, CALL_MS), graceMs: 15_000 });
        return (now) => ({ killedAt: now, killedFor: action.why });
      case 'clean':
        if (row.claimedAt === null && row.launchedAt !== null) await keepLastWords(row, signal);
        // Followers are told first: they need not wait for a container to be removed.
        await parts.endLog(row.id, row.state);
        await (await parts.launcherOf(row.profile)).remove(unit, { signal: within(signal, CALL_MS) });
        return (now) => ({ cleanedAt: now });
    }
  }

  /** Of a worker that never spoke, what its unit printed goes to the job's log: nobody else knows why. */
  async function keepLastWords(row: JobRow, signal: AbortSignal): Promise<void> {
    try {
      const launcher = await parts.launcherOf(row.profile);
      const unit = { jobId: row.id, attempt: row.attempt };
      const lines = (await launcher.lastWords?.(unit, { signal: within(signal, LAST_WORDS_MS) })) ?? [];
      for (const [n, line] of lines.entries()) await parts.say(row.id, `${row.attempt} unit ${n}`, `worker: ${line}`);
    } catch (error) {
      if (signal.aborted) throw error;
      log.debug({ err: error, job: row.id }, 'cannot read what a unit printed');
    }
  }

  let launching = 0;
  async function launch(row: JobRow, signal: AbortSignal): Promise<(now: Date) => SeenOrWanted> {
    const cancelled = new AbortController();
    const watch = setInterval(() => void stopWhenCancelled(row.id, cancelled), WANTED_MS);
    const telling = tell(row);
    launching += 1;
    try {
      const launcher = await parts.launcherOf(row.profile);
      await launcher.launch(
        {
          jobId: row.id,
          attempt: row.attempt,
          workerToken: parts.workerToken(row.id, row.attempt),
          image: row.image,
          resources: row.resources,
          deadlineSeconds: row.timeoutSeconds + 3600,
        },
        { signal: within(AbortSignal.any([signal, cancelled.signal]), LAUNCH_MS), say: telling.say },
      );
      return (now) => ({ launchedAt: now, launchFault: null, launchTries: row.launchTries + 1, reportedReason: null });
    } catch (error) {
      if (signal.aborted) throw error;
      // What was begun is ended with the job.
      if (cancelled.signal.aborted) return () => ({ reportedReason: null });
      const known = error instanceof HangarError ? error : new HangarError('launch_failed', { cause: error });
      if (!(error instanceof HangarError)) log.warn({ err: error, job: row.id }, 'launch failed');
      const failure = { ...failureOf(known.code, known.message), wayOut: known.wayOut };
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

  async function stopWhenCancelled(id: string, stop: AbortController): Promise<void> {
    const row = await store.byId(id).catch(() => null);
    if (row?.cancelRequestedAt) stop.abort(new Error('the job was cancelled'));
  }

  /** What takes long while a job is launched is its reason. Its log gets the first word of each thing, and no progress. */
  function tell(row: JobRow): { say: (reason: string) => void; told: () => Promise<void> } {
    const said = new Set<string>();
    let last = Promise.resolve();
    return {
      say(reason) {
        const what = reason.replace(/ \(.*\)$/, '');
        const line = said.has(what) ? null : parts.say(row.id, `${row.attempt} ${what}`, what);
        said.add(what);
        last = last
          .then(async () => void (await Promise.all([line, store.advance(row.id, () => ({ reportedReason: reason }))])))
          .catch((error: unknown) => log.warn({ err: error, job: row.id }, 'cannot tell how a launch goes'));
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
          async (waiting, load) => {
            const users = [...new Set(waiting.map((candidate) => candidate.userId))];
            const [ofUsers, ofProfiles, held] = await Promise.all([
              parts.jobsAtOnceOfUsers(users),
              parts.jobsAtOnceOfProfiles(),
              parts.holds(users),
            ]);
            return chooseNext(waiting, load, {
              ofUser: (userId) => (held.has(userId) ? 0 : (ofUsers.get(userId) ?? 1)),
              ofProfile: (profile) => ofProfiles.get(profile) ?? Number.POSITIVE_INFINITY,
              total: parts.jobsAtOnce,
            });
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

/** What to say of a driver that does not answer; anything else is thrown again. */
function outOfReach(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) throw error;
  if (error instanceof HangarError && error.code === 'driver_unavailable') return error.message;
  if (error instanceof Error && error.name === 'TimeoutError') return 'Its driver does not answer in time.';
  throw error;
}

function unknown(reason: string, { unit }: JobRow, now: Date): SeenUnit {
  const at = now.toISOString();
  const since = unit?.kind === 'unknown' && unit.since !== undefined ? unit.since : at;
  return { kind: 'unknown', exitCode: null, outOfMemory: false, reason, since, at };
}

function within(signal: AbortSignal, ms: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}
