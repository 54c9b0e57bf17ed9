import type { Logger } from 'pino';
import type { Database } from '../../../platform/database/index.ts';
import { type Acts, createActing } from '../../../platform/reconcile/acting.ts';
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts';
import { within } from '../../../platform/waits.ts';
import type { Action } from '../lifecycle/job-facts.ts';
import { unitSeen, unitUnknown } from '../lifecycle/job-moves.ts';
import type { SeenOrWanted } from '../lifecycle/job-noun.ts';
import type { BackendOfJobs, LogsOfJobs, ProfilesOfJobs, SandboxesOfJobs } from '../needs.ts';
import type { JobsStore } from '../store/jobs-store.ts';
import type { JobRow } from '../store/jobs-tables.ts';
import { createLaunch, type LaunchParts } from './launch.ts';

export interface JobsReconcilerParts extends LaunchParts {
  readonly database: Database;
  readonly store: JobsStore;
  readonly profiles: ProfilesOfJobs;
  readonly sandboxes: Pick<SandboxesOfJobs, 'backend'>;
  readonly logs: Pick<LogsOfJobs, 'appendSystem' | 'end'>;
  readonly log: Logger;
}

const CALL_MS = 60_000;
const KILL_GRACE_MS = 15_000;
const LAST_WORDS_MS = 10_000;
const HANDLED_AT_ONCE = 32;
/** Of those: jobs that wait for their images leave room for those that are to be ended, asked after and cleaned. */
const LAUNCHES = 24;
const ASK_AGAIN_MS = 10_000;
/** Of an ended job: what is left of it can wait, the longer the longer nobody could be asked. */
const ASK_ENDED_MOST_MS = 10 * 60_000;

/** Acts on what `decide` says of jobs, through the backend of each. */
export function createJobsReconciler(parts: JobsReconcilerParts): Reconciler {
  const { store, profiles, sandboxes, logs, log } = parts;
  const launch = createLaunch(parts);
  const keyOf = ({ id, attempt }: JobRow) => ({ id, attempt });
  const call = (signal: AbortSignal) => ({ signal: within(signal, CALL_MS) });

  /** Where the unit was started, or was about to be; null: nowhere. */
  async function unitsOf({ sandboxId, profile, profileRevision }: JobRow): Promise<BackendOfJobs['units'] | null> {
    if (sandboxId !== null) return sandboxes.backend(sandboxId).units;
    return profileRevision === null ? null : (await profiles.reach(profile, profileRevision)).units;
  }

  /** Of a worker that never spoke, what its unit printed goes to the job's log: nobody else knows why. */
  async function keepLastWords(row: JobRow, signal: AbortSignal): Promise<void> {
    try {
      const units = await unitsOf(row);
      const lines = (await units?.lastWords?.(keyOf(row), { signal: within(signal, LAST_WORDS_MS) })) ?? [];
      for (const [n, line] of lines.entries())
        await logs.appendSystem(row.id, `worker: ${line}`, { key: `${row.attempt} unit ${n}` });
    } catch (error) {
      if (signal.aborted) throw error;
      log.debug({ err: error, job: row.id }, 'cannot read what a unit printed');
    }
  }

  const acts: Acts<JobRow, SeenOrWanted, Action> = {
    launch: { atOnce: LAUNCHES, run: (row, _action, acting) => launch(row, acting) },
    inspect: {
      isLast: true,
      async run(row, _action, { signal }) {
        const asked = performance.now();
        const state = (await (await unitsOf(row))?.inspect(keyOf(row), call(signal))) ?? { kind: 'missing' };
        // A worker that spoke meanwhile was there after what is seen here.
        const tookMs = performance.now() - asked;
        return (before, now) => ({ unit: unitSeen(state, before, new Date(now.getTime() - tookMs)) });
      },
    },
    kill: {
      async run(row, { why }, { signal }) {
        await (await unitsOf(row))?.stop(keyOf(row), { ...call(signal), graceMs: KILL_GRACE_MS });
        return (_row, now) => ({ killedAt: now, killedFor: why });
      },
    },
    tell: {
      needsNobody: true,
      async run(row, _action, { signal }) {
        if (row.claimedAt === null && row.launchedAt !== null) await keepLastWords(row, signal);
        await logs.end(row.id, { state: row.state });
        return (_row, now) => ({ toldAt: now });
      },
    },
    clean: {
      async run(row, _action, { signal }) {
        await (await unitsOf(row))?.remove(keyOf(row), call(signal));
        return (_row, now) => ({ cleanedAt: now });
      },
    },
  };

  return createActing({
    ...{ database: parts.database, reconciled: store.reconciled, acts, concurrency: HANDLED_AT_ONCE, log },
    away: { seen: (why, row, now) => ({ unit: unitUnknown(why, row, now) }), againMs: askAgainMs },
  });
}

function askAgainMs({ finishedAt }: JobRow): number {
  if (finishedAt === null) return ASK_AGAIN_MS;
  return Math.min(ASK_ENDED_MOST_MS, Math.max(ASK_AGAIN_MS, (Date.now() - finishedAt.getTime()) / 10));
}
