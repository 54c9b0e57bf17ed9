import type { Plan } from '@hangar/contract';

/** How long an answer is good for: to sum a month of many jobs takes its time, and who waits is looked at often. */
const GOOD_MS = 5_000;

/** People none of whose waiting jobs may start now, each with why. */
export type Holds = (userIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;

export function createHolds(parts: {
  readonly planOf: (userId: string) => Promise<Pick<Plan, 'minutesPerMonth'>>;
  readonly use: (userId: string) => Promise<{ minutes: number; periodEndsAt: Date }>;
  readonly isDisabled: (userId: string) => Promise<boolean>;
}): Holds {
  const known = new Map<string, { readonly until: number; readonly why: string | null }>();

  async function whyHeld(userId: string): Promise<string | null> {
    if (await parts.isDisabled(userId)) return 'The account of its owner is disabled; an admin can enable it again';
    const { minutesPerMonth } = await parts.planOf(userId);
    if (minutesPerMonth === null) return null;
    const { minutes, periodEndsAt } = await parts.use(userId);
    if (minutes < minutesPerMonth) return null;
    const next = periodEndsAt.toISOString().slice(0, 10);
    return `The ${minutesPerMonth} minutes of this month are used up: it waits until ${next}, or for another plan`;
  }

  return async (userIds) => {
    const now = performance.now();
    for (const [userId, { until }] of known) if (until <= now) known.delete(userId);
    await Promise.all(
      userIds.map(async (userId) => {
        if (!known.has(userId)) known.set(userId, { why: await whyHeld(userId), until: now + GOOD_MS });
      }),
    );
    return new Map(
      userIds.flatMap((userId) => {
        const why = known.get(userId)?.why ?? null;
        return why === null ? [] : [[userId, why] as const];
      }),
    );
  };
}
