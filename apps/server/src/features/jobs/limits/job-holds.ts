import type { Plan } from '@hangar/contract';

/** How long an answer is good for: to sum a month of many jobs takes its time, and who waits is looked at often. */
const GOOD_MS = 5_000;

export interface Standing {
  readonly plan: Pick<Plan, 'minutesPerMonth' | 'jobsAtOnce'>;
  readonly disabled: boolean;
}

/** People none of whose waiting jobs may start now, each with why. */
export type Holds = (userIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;

export function createHolds(parts: {
  /** Of those who are still there. */
  readonly standingOf: (userIds: readonly string[]) => Promise<ReadonlyMap<string, Standing>>;
  readonly uses: (
    userIds: readonly string[],
  ) => Promise<ReadonlyMap<string, { readonly minutes: number; readonly periodEndsAt: Date }>>;
}): Holds {
  const known = new Map<string, { readonly until: number; readonly why: string | null }>();

  /** In two queries for any number of people. */
  async function look(userIds: readonly string[], until: number): Promise<void> {
    const standing = await parts.standingOf(userIds);
    const limited = userIds.filter((id) => standing.get(id)?.plan.minutesPerMonth != null);
    const used = await parts.uses(limited);
    for (const id of userIds) known.set(id, { why: whyHeld(standing.get(id), used.get(id)), until });
  }

  return async (userIds) => {
    const now = performance.now();
    for (const [userId, { until }] of known) if (until <= now) known.delete(userId);
    const unknown = [...new Set(userIds)].filter((id) => !known.has(id));
    if (unknown.length > 0) await look(unknown, now + GOOD_MS);
    return new Map(
      userIds.flatMap((userId) => {
        const why = known.get(userId)?.why ?? null;
        return why === null ? [] : [[userId, why] as const];
      }),
    );
  };
}

function whyHeld(
  standing: Standing | undefined,
  used: { readonly minutes: number; readonly periodEndsAt: Date } | undefined,
): string | null {
  if (!standing) return 'Its owner is not on this server any more';
  if (standing.disabled) return 'The account of its owner is disabled; an admin can enable it again';
  const { minutesPerMonth } = standing.plan;
  if (minutesPerMonth === null || used === undefined || used.minutes < minutesPerMonth) return null;
  const next = used.periodEndsAt.toISOString().slice(0, 10);
  return `The ${minutesPerMonth} minutes of this month are used up: it waits until ${next}, or for another plan`;
}
