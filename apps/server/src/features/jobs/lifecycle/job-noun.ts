import { isFinal } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import type { Publish } from '../../../platform/capability.ts';
import { announcing } from '../../../platform/live/announce.ts';
import { placesMoved } from '../../../platform/places/admission.ts';
import type { Noun } from '../../../platform/reconcile/reconciled.ts';
import { type JobRow, jobs } from '../store/jobs-tables.ts';
import { publications } from './job-activity.ts';
import type { Decision, Patience } from './job-facts.ts';
import { decide } from './job-lifecycle.ts';
import { describePhase, factsOf, moveTo } from './job-moves.ts';

/** As live frames, places and reconcilers call it. */
export const JOB = 'job';

/** What somebody saw or wants; never the state, which only `decide` makes. */
export type SeenOrWanted = Partial<
  Pick<
    JobRow,
    | 'cancelRequestedAt'
    | 'admittedAt'
    | 'profileRevision'
    | 'launchTries'
    | 'launchedAt'
    | 'launchFault'
    | 'unit'
    | 'workerId'
    | 'claimedAt'
    | 'heardAt'
    | 'reportedPhase'
    | 'reportedReason'
    | 'finished'
    | 'killedAt'
    | 'killedFor'
    | 'toldAt'
    | 'cleanedAt'
    | 'repoCommit'
    | 'diff'
    | 'usage'
  >
>;

/** How jobs are reconciled: what is decided, what follows from a move, and who is told of it. */
export function jobNoun(o: { patience: Patience; publish: Publish }): Noun<typeof jobs, SeenOrWanted, Decision> {
  return {
    table: jobs,
    missing: 'job_not_found',
    decide: (row, now) => decide(factsOf(row), now.getTime(), o.patience),

    settle({ before, row, decision, now }) {
      const { reason } = decision;
      if (decision.state !== before.state) return { reason, ...moveTo(row, decision, now) };
      return reason === before.reason ? {} : { reason, phases: describePhase(row.phases, reason) };
    },

    async announce(tx, { before, row, seen, decision, now }) {
      const moved = decision.state !== before.state;
      if (moved) {
        await o.publish(tx, publications([row]));
        await tx.execute(sql`insert into job_event (job_id, n, at, state, reason, attempt)
          select ${row.id}, coalesce(max(n), 0) + 1, ${now.toISOString()}::timestamptz, ${decision.state}, ${decision.reason}, ${row.attempt}
          from job_event where job_id = ${row.id}`);
      }
      const isNews =
        moved ||
        decision.reason !== before.reason ||
        seen.diff !== undefined ||
        seen.usage !== undefined ||
        seen.cancelRequestedAt !== undefined;
      return [...(isNews ? [jobChanged(row)] : []), ...(moved && isFinal(decision.state) ? [placesMoved(JOB)] : [])];
    },
  };
}

export const jobChanged = ({ id, userId }: Pick<JobRow, 'id' | 'userId'>) =>
  announcing({ noun: JOB, id, audience: userId });
