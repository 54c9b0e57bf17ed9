import {
  type Driver,
  type DriverName,
  DriverSettings,
  HangarError,
  type NewProfile,
  type Profile,
  type ProfileCheck,
} from '@hangar/contract';
import { asc, eq, inArray, or } from 'drizzle-orm';
import { type Database, isUniqueViolation } from '../../platform/database/index.ts';
import { lookup } from '../../platform/database/together.ts';
import { profiles } from './profiles-tables.ts';

type Row = typeof profiles.$inferSelect;

/** What profiles need of a driver; the launcher port of jobs fits. */
export interface ProfileDriver {
  readonly name: DriverName;
  describe(o: { signal: AbortSignal }): Promise<Driver>;
  forProfile(profile: { name: string; settings: Record<string, unknown>; limits: Row['limits'] }): {
    test(o: { signal: AbortSignal }): Promise<ProfileCheck[]>;
  };
}

export interface ProfilesParts<D extends ProfileDriver> {
  readonly database: Database;
  readonly drivers: readonly D[];
  readonly runningOn: (profile?: string) => Promise<ReadonlyMap<string, number>>;
  readonly isInUse: (profile: string) => Promise<boolean>;
}

const TEST_MS = 120_000;

/** Profiles: named ways to reach compute, made by admins, used by everybody. Exactly one is the default. */
export function createProfiles<D extends ProfileDriver>(parts: ProfilesParts<D>) {
  const { db } = parts.database;

  /** The default has no name. */
  const byName = lookup(async (names) => {
    const rows = await db
      .select()
      .from(profiles)
      .where(or(inArray(profiles.name, [...names]), names.includes('') ? eq(profiles.isDefault, true) : undefined));
    return new Map(
      rows.flatMap((found) => [[found.name, found] as const, ...(found.isDefault ? [['', found] as const] : [])]),
    );
  });

  async function row(name: string): Promise<Row> {
    const found = await byName(name);
    if (!found) throw new HangarError('profile_not_found', { message: `There is no profile ${name}.` });
    return found;
  }
  function driver(name: string): D {
    const found = parts.drivers.find((candidate) => candidate.name === name);
    if (!found) throw new HangarError('driver_unknown', { message: `This server does not offer the driver ${name}.` });
    return found;
  }
  async function view(rows: readonly Row[]): Promise<Profile[]> {
    const running = await parts.runningOn();
    return rows.map((profile) => ({
      ...profile,
      createdAt: profile.createdAt.toISOString(),
      jobsRunning: running.get(profile.name) ?? 0,
    }));
  }
  const viewOne = async (found: Row): Promise<Profile> => {
    const [profile] = await view([found]);
    if (!profile) throw new HangarError('profile_not_found');
    return profile;
  };
  const forRow = (found: Row): ReturnType<D['forProfile']> =>
    driver(found.driver).forProfile(found) as ReturnType<D['forProfile']>;

  return {
    /** The named profile, or the default. @throws HangarError profile_not_found */
    async find(name: string | undefined): Promise<Row> {
      if (name !== undefined) return row(name);
      const found = await byName('');
      if (!found)
        throw new HangarError('profile_not_found', {
          message: 'There is no default profile.',
          wayOut: 'Name one with --on, or: hangar profiles default NAME',
        });
      return found;
    },
    /** The driver of a profile, set up with its settings. */
    reach: async (name: string): Promise<ReturnType<D['forProfile']>> => forRow(await row(name)),
    /** Those whose driver this server offers. */
    async all(): Promise<{ name: string; reach: ReturnType<D['forProfile']> }[]> {
      const found = await db.select().from(profiles);
      const offered = found.filter((each) => parts.drivers.some(({ name }) => name === each.driver));
      return offered.map((each) => ({ name: each.name, reach: forRow(each) }));
    },
    async jobsAtOnce(): Promise<ReadonlyMap<string, number>> {
      const rows = await db.select().from(profiles);
      return new Map(
        rows.flatMap((found) =>
          found.limits.jobsAtOnce === undefined ? [] : [[found.name, found.limits.jobsAtOnce] as const],
        ),
      );
    },
    /** On first start: a profile of the first driver there is, the default. */
    async ensureFirst(o: {
      jobsAtOnce: Readonly<Partial<Record<DriverName, number>>>;
      settings: Readonly<Partial<Record<DriverName, Record<string, unknown>>>>;
    }): Promise<void> {
      const any = await db.select({ name: profiles.name }).from(profiles).limit(1);
      const [first] = parts.drivers;
      if (any.length > 0 || first === undefined) return;
      const jobsAtOnce = o.jobsAtOnce[first.name];
      await db
        .insert(profiles)
        .values({
          name: first.name,
          driver: first.name,
          settings: DriverSettings[first.name].parse(o.settings[first.name] ?? {}),
          limits: jobsAtOnce === undefined ? {} : { jobsAtOnce },
          isDefault: true,
        })
        .onConflictDoNothing();
    },

    list: async (): Promise<{ items: Profile[] }> => ({
      items: await view(await db.select().from(profiles).orderBy(asc(profiles.name))),
    }),
    get: async (name: string): Promise<Profile> => viewOne(await row(name)),

    async create(input: NewProfile): Promise<Profile> {
      driver(input.driver).forProfile({ name: input.name, settings: input.settings, limits: input.limits });
      return db
        .transaction(async (tx) => {
          if (input.isDefault) await tx.update(profiles).set({ isDefault: false }).where(eq(profiles.isDefault, true));
          const [created] = await tx
            .insert(profiles)
            .values({
              name: input.name,
              driver: input.driver,
              settings: input.settings,
              limits: input.limits,
              isDefault: input.isDefault,
            })
            .returning();
          if (!created) throw new HangarError('internal');
          return created;
        })
        .then(viewOne)
        .catch((error: unknown) => {
          throw isUniqueViolation(error)
            ? new HangarError('profile_exists', { message: `There is already a profile ${input.name}.` })
            : error;
        });
    },

    async update(
      name: string,
      change: { settings?: Record<string, unknown>; limits?: Row['limits'] },
    ): Promise<Profile> {
      const before = await row(name);
      const parsed = DriverSettings[before.driver].safeParse({ ...before.settings, ...change.settings });
      if (!parsed.success) {
        const issues = parsed.error.issues.map((issue) => ({
          field: `settings.${issue.path.join('.')}`,
          message: issue.message,
        }));
        throw new HangarError('validation_failed', {
          message: `${issues[0]?.field}: ${issues[0]?.message}`,
          details: { issues },
        });
      }
      const next = { settings: parsed.data, limits: { ...before.limits, ...change.limits } };
      driver(before.driver).forProfile({ name, ...next });
      const [updated] = await db.update(profiles).set(next).where(eq(profiles.name, name)).returning();
      if (!updated) throw new HangarError('profile_not_found');
      return viewOne(updated);
    },

    async remove(name: string): Promise<void> {
      const found = await row(name);
      if (found.isDefault) throw new HangarError('profile_is_default');
      if (await parts.isInUse(name)) throw new HangarError('profile_in_use');
      await db.delete(profiles).where(eq(profiles.name, name));
    },

    async makeDefault(name: string): Promise<Profile> {
      await row(name);
      await db.transaction(async (tx) => {
        await tx.update(profiles).set({ isDefault: false }).where(eq(profiles.isDefault, true));
        await tx.update(profiles).set({ isDefault: true }).where(eq(profiles.name, name));
      });
      return viewOne(await row(name));
    },

    async test(name: string, signal: AbortSignal): Promise<{ ok: boolean; checks: ProfileCheck[] }> {
      const launcher = forRow(await row(name)) as { test(o: { signal: AbortSignal }): Promise<ProfileCheck[]> };
      const checks = await launcher.test({ signal: AbortSignal.any([signal, AbortSignal.timeout(TEST_MS)]) });
      return { ok: checks.every((check) => check.ok), checks };
    },

    async drivers(signal: AbortSignal): Promise<{ items: Driver[] }> {
      return {
        items: await Promise.all(
          parts.drivers.map((candidate) =>
            candidate.describe({ signal: AbortSignal.any([signal, AbortSignal.timeout(15_000)]) }),
          ),
        ),
      };
    },
  };
}
export type Profiles<D extends ProfileDriver = ProfileDriver> = ReturnType<typeof createProfiles<D>>;
