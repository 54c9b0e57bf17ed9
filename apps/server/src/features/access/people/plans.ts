import { HangarError, type Plan } from '@hangar/contract';
import { asc, eq, inArray } from 'drizzle-orm';
import type { Tx } from '../../../platform/database/index.ts';
import { lookup } from '../../../platform/database/together.ts';
import { person, plan } from '../access-tables.ts';

const GIB = 1024 ** 3;

/** What everyone may use until an admin says otherwise. */
export const STANDARD_PLAN: Plan = {
  id: 'standard',
  title: 'Standard',
  jobsAtOnce: 4,
  jobsWaiting: 1000,
  sandboxesAtOnce: 10,
  minutesPerMonth: null,
  maxTimeoutSeconds: 86_400,
  maxArtifactBytes: GIB,
  maxLogBytes: GIB,
  keepLogDays: null,
  keepArtifactDays: null,
  keepBytes: null,
};

export interface Plans {
  /** Makes the standard plan where there is none yet. */
  ensureStandard(db?: Tx): Promise<void>;
  list(): Promise<Plan[]>;
  /** Makes or changes a plan. It counts from the next request on. */
  put(plan: Plan): Promise<Plan>;
  /** @throws HangarError user_not_found */
  ofPerson(personId: string): Promise<Plan>;
  /** Plan and whether the account is disabled, of those who are there. */
  standingOf(personIds: readonly string[]): Promise<Map<string, { plan: Plan; disabled: boolean }>>;
}

export function createPlans(db: Tx): Plans {
  const planOf = lookup(async (personIds) => {
    const rows = await db
      .select({ personId: person.id, plan })
      .from(person)
      .innerJoin(plan, eq(plan.id, person.planId))
      .where(inArray(person.id, [...personIds]));
    return new Map(rows.map((row) => [row.personId, row.plan]));
  });

  return {
    async ensureStandard(within = db) {
      await within.insert(plan).values(STANDARD_PLAN).onConflictDoNothing();
    },
    list: () => db.select().from(plan).orderBy(asc(plan.id)),
    async put(wanted) {
      const { id: _id, ...values } = wanted;
      await db.insert(plan).values(wanted).onConflictDoUpdate({ target: plan.id, set: values });
      return wanted;
    },
    async standingOf(personIds) {
      if (personIds.length === 0) return new Map();
      const rows = await db
        .select({ id: person.id, disabled: person.disabled, plan })
        .from(person)
        .innerJoin(plan, eq(plan.id, person.planId))
        .where(inArray(person.id, [...personIds]));
      return new Map(rows.map(({ id, ...standing }) => [id, standing]));
    },
    async ofPerson(personId) {
      const found = await planOf(personId);
      if (!found) throw new HangarError('user_not_found');
      return found;
    },
  };
}
