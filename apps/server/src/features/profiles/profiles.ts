import {
  type Driver,
  type DriverName,
  DriverSettings,
  HangarError,
  type NewProfile,
  type Profile,
  type ProfileCheck,
} from '@hangar/contract';
import type { ProfileOf } from '@hangar/sandbox';
import { and, asc, eq, inArray, isNull, lt, max, or, sql } from 'drizzle-orm';
import { type Database, isUniqueViolation, type Tx } from '../../platform/database/index.ts';
import { LOCKS, lockFor } from '../../platform/database/locks.ts';
import { lookup } from '../../platform/database/together.ts';
import type { Places } from '../../platform/places/places.ts';
import { profileRevisions, profiles } from './profiles-tables.ts';

type Row = typeof profiles.$inferSelect;
type Settings = Pick<Row, 'name' | 'driver' | 'settings' | 'limits'>;

/** What profiles need of a driver: that of `@hangar/sandbox` is one. */
export interface ProfileDriver {
  readonly name: DriverName;
  describe(o: { signal: AbortSignal }): Promise<Driver>;
  forProfile(profile: ProfileOf): {
    test(o: { signal: AbortSignal }): Promise<ProfileCheck[]>;
  };
}

export interface ProfilesParts<D extends ProfileDriver> {
  readonly database: Database;
  readonly drivers: readonly D[];
  readonly places: Places;
}

/** What a first profile gets of its driver's settings and limits. */
export interface FirstProfile {
  readonly jobsAtOnce: Readonly<Partial<Record<DriverName, number>>>;
  readonly settings: Readonly<Partial<Record<DriverName, Record<string, unknown>>>>;
}

const TEST_MS = 120_000;
/** A launch that read the settings of before may not have said so yet. */
const REVISION_AGE = sql`now() - interval '1 day'`;

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
    const running = await parts.places.inUse('job');
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
  const forRow = (found: Settings): ReturnType<D['forProfile']> =>
    driver(found.driver).forProfile(withoutSecrets(found)) as ReturnType<D['forProfile']>;
  const isOffered = (found: Settings): boolean => parts.drivers.some(({ name }) => name === found.driver);

  /** By name and number, with a line end between them. */
  const byRevision = lookup(async (keys) => {
    const rows = await db
      .select()
      .from(profileRevisions)
      .where(inArray(sql`${profileRevisions.profile} || E'\\n' || ${profileRevisions.revision}`, [...keys]));
    return new Map(rows.map((found) => [`${found.profile}\n${found.revision}`, { ...found, name: found.profile }]));
  });

  /** Another revision of a profile, which takes the place of the one before. Answers its number. */
  async function revise(tx: Tx, { name, driver, settings, limits }: Settings): Promise<number> {
    await supersede(tx, name);
    const [newest] = await tx
      .select({ revision: max(profileRevisions.revision) })
      .from(profileRevisions)
      .where(eq(profileRevisions.profile, name));
    const revision = (newest?.revision ?? 0) + 1;
    await tx.insert(profileRevisions).values({ profile: name, revision, driver, settings, limits });
    return revision;
  }
  /** Before another one becomes the default: one at a time, and none without a default when that one is missing. */
  async function noDefault(tx: Tx): Promise<void> {
    await tx.execute(lockFor(LOCKS.defaultProfile));
    await tx.update(profiles).set({ isDefault: false }).where(eq(profiles.isDefault, true));
  }
  async function supersede(tx: Tx, name: string): Promise<void> {
    await tx
      .update(profileRevisions)
      .set({ supersededAt: sql`now()` })
      .where(and(eq(profileRevisions.profile, name), isNull(profileRevisions.supersededAt)));
  }

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
    /** Number of the settings that the profile has now. @throws HangarError profile_not_found */
    revisionOf: async (name: string): Promise<number> => (await row(name)).revision,
    /** The driver, set up with the settings that a profile had. @throws HangarError profile_not_found, driver_unknown */
    async reach(name: string, revision: number): Promise<ReturnType<D['forProfile']>> {
      const found = await byRevision(`${name}\n${revision}`);
      if (!found)
        throw new HangarError('profile_not_found', {
          message: `The settings ${revision} of profile ${name} are gone.`,
        });
      return forRow(found);
    },
    /** Those whose driver this server offers. */
    async all(): Promise<{ name: string; reach: ReturnType<D['forProfile']> }[]> {
      const found = await db.select().from(profiles);
      return found.filter(isOffered).map((each) => ({ name: each.name, reach: forRow(each) }));
    },
    /** Wherever units may be left: with all settings that are kept, each once. Forgets those that no unit needs any more. */
    async everReached(): Promise<{ name: string; reach: ReturnType<D['forProfile']> }[]> {
      const used = new Set(
        (await parts.places.revisionsInUse()).map(({ profile, revision }) => `${profile}\n${revision}`),
      );
      const old = await db.select().from(profileRevisions).where(lt(profileRevisions.supersededAt, REVISION_AGE));
      for (const { profile, revision } of old) {
        if (used.has(`${profile}\n${revision}`)) continue;
        await db
          .delete(profileRevisions)
          .where(and(eq(profileRevisions.profile, profile), eq(profileRevisions.revision, revision)));
      }
      const kept = await db.select().from(profileRevisions);
      const places = new Map(kept.map((each) => [JSON.stringify([each.driver, each.settings]), each]));
      return [...places.values()]
        .map((each) => ({ ...each, name: each.profile }))
        .filter(isOffered)
        .map((each) => ({ name: each.name, reach: forRow(each) }));
    },
    /** Of clusters that jobs may run in. */
    async namespaces(): Promise<string[]> {
      const rows = await db.select().from(profiles).where(eq(profiles.driver, 'kubernetes'));
      return rows.flatMap(({ settings: { namespace } }) => (typeof namespace === 'string' ? [namespace] : []));
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
    async ensureFirst(o: FirstProfile): Promise<void> {
      const any = await db.select({ name: profiles.name }).from(profiles).limit(1);
      const [first] = parts.drivers;
      if (any.length > 0 || first === undefined) return;
      const jobsAtOnce = o.jobsAtOnce[first.name];
      const made = {
        name: first.name,
        driver: first.name,
        settings: DriverSettings[first.name].parse(o.settings[first.name] ?? {}),
        limits: jobsAtOnce === undefined ? {} : { jobsAtOnce },
      };
      await db.transaction(async (tx) => {
        const added = await tx
          .insert(profiles)
          .values({ ...made, isDefault: true })
          .onConflictDoNothing()
          .returning({ name: profiles.name });
        // Another server may be first, too.
        if (added.length === 0) return;
        const revision = await revise(tx, made);
        await tx.update(profiles).set({ revision }).where(eq(profiles.name, made.name));
      });
    },

    list: async (): Promise<{ items: Profile[] }> => ({
      items: await view(await db.select().from(profiles).orderBy(asc(profiles.name))),
    }),
    get: async (name: string): Promise<Profile> => viewOne(await row(name)),

    async create(input: NewProfile): Promise<Profile> {
      driver(input.driver).forProfile(withoutSecrets(input));
      return db
        .transaction(async (tx) => {
          if (input.isDefault) await noDefault(tx);
          const { name, driver, settings, limits, isDefault } = input;
          await tx.insert(profiles).values({ name, driver, settings, limits, isDefault });
          const revision = await revise(tx, { name, driver, settings, limits });
          const [created] = await tx.update(profiles).set({ revision }).where(eq(profiles.name, name)).returning();
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
      const updated = await db.transaction(async (tx) => {
        const [before] = await tx.select().from(profiles).where(eq(profiles.name, name)).for('update');
        if (!before) throw new HangarError('profile_not_found', { message: `There is no profile ${name}.` });
        const next = {
          ...{ name, driver: before.driver },
          settings: parsedSettings(before, change.settings ?? {}),
          limits: { ...before.limits, ...change.limits },
        };
        driver(before.driver).forProfile(withoutSecrets(next));
        const revision = await revise(tx, next);
        const { settings, limits } = next;
        const [after] = await tx
          .update(profiles)
          .set({ settings, limits, revision })
          .where(eq(profiles.name, name))
          .returning();
        return after;
      });
      if (!updated) throw new HangarError('profile_not_found');
      return viewOne(updated);
    },

    /** Refused while anything waits or runs on it. What is left of units of ended ones is removed though it is gone. */
    async remove(name: string): Promise<void> {
      const found = await row(name);
      if (found.isDefault) throw new HangarError('profile_is_default');
      const uses = await parts.places.unfinishedOn(name);
      if (uses.size > 0)
        throw new HangarError('profile_in_use', {
          message: `${usesInWords(uses)} on this profile.`,
          details: Object.fromEntries([...uses].map(([noun, n]) => [`${noun}s`, n])),
        });
      await db.transaction(async (tx) => {
        const gone = await tx
          .delete(profiles)
          .where(and(eq(profiles.name, name), eq(profiles.isDefault, false)))
          .returning({ name: profiles.name });
        if (gone.length === 0) throw new HangarError('profile_is_default');
        await supersede(tx, name);
      });
    },

    async makeDefault(name: string): Promise<Profile> {
      return viewOne(
        await db.transaction(async (tx) => {
          await noDefault(tx);
          const [made] = await tx.update(profiles).set({ isDefault: true }).where(eq(profiles.name, name)).returning();
          if (!made) throw new HangarError('profile_not_found', { message: `There is no profile ${name}.` });
          return made;
        }),
      );
    },

    async test(name: string, signal: AbortSignal): Promise<{ ok: boolean; checks: ProfileCheck[] }> {
      const reach = forRow(await row(name)) as { test(o: { signal: AbortSignal }): Promise<ProfileCheck[]> };
      const checks = await reach.test({ signal: AbortSignal.any([signal, AbortSignal.timeout(TEST_MS)]) });
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

/** No driver that is offered has a secret setting. */
const withoutSecrets = ({ name, settings, limits }: Pick<Row, 'name' | 'settings' | 'limits'>): ProfileOf => ({
  ...{ name, settings, limits, secret: async () => null },
});

/** "One job waits or runs", "3 jobs wait or run", and so on for each noun. */
function usesInWords(uses: ReadonlyMap<string, number>): string {
  const words = [...uses].map(([noun, n]) => (n === 1 ? `one ${noun}` : `${n} ${noun}s`)).join(' and ');
  const all = [...uses.values()].reduce((sum, n) => sum + n, 0);
  return `${words.charAt(0).toUpperCase()}${words.slice(1)} ${all === 1 ? 'waits or runs' : 'wait or run'}`;
}

function parsedSettings(before: Row, change: Record<string, unknown>): Record<string, unknown> {
  const parsed = DriverSettings[before.driver].safeParse({ ...before.settings, ...change });
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({
    field: `settings.${issue.path.join('.')}`,
    message: issue.message,
  }));
  throw new HangarError('validation_failed', {
    message: `${issues[0]?.field}: ${issues[0]?.message}`,
    details: { issues },
  });
}

export type Profiles<D extends ProfileDriver = ProfileDriver> = ReturnType<typeof createProfiles<D>>;
