import {
  type Driver,
  type DriverName,
  DriverSettings,
  HangarError,
  type NewProfile,
  PERSONAL_DRIVERS,
  type Profile,
  type ProfileCheck,
  secretsOf,
} from '@hangar/contract';
import { and, eq, isNull, or } from 'drizzle-orm';
import { isUniqueViolation } from '../../platform/database/index.ts';
import { lookup } from '../../platform/database/together.ts';
import { profileKey, profileName, profileOwner } from '../../platform/places/profile-key.ts';
import {
  byKeys,
  changed,
  defaultKey,
  divided,
  noDefault,
  type Row,
  revise,
  rowsOf,
  type Settings,
  supersede,
} from './profile-rows.ts';
import { profiles } from './profiles-tables.ts';
import { createReaching, type ProfileDriver, type ProfilesParts } from './reaching.ts';

/** What a first profile gets of its driver's settings and limits. */
export interface FirstProfile {
  readonly jobsAtOnce: Readonly<Partial<Record<DriverName, number>>>;
  readonly settings: Readonly<Partial<Record<DriverName, Record<string, unknown>>>>;
}

/** Who asks; `everybody`: an admin, who may change what is the server's. */
export interface Asking {
  readonly userId: string;
  readonly everybody: boolean;
}

export interface ProfileChange {
  readonly settings?: Record<string, unknown>;
  readonly limits?: Row['limits'];
  readonly forgetHostKey?: boolean;
}

const TEST_MS = 120_000;
/** Somebody else changed the secrets of the same profile meanwhile, so often. */
const CHANGES_AT_ONCE = 20;

/**
 * Profiles: named ways to reach compute. Those of the server are made by admins and used by everybody, and one of them is the default.
 * A personal one belongs to one person; nobody else finds it, and for its owner it comes before one of the server of the same name.
 */
export function createProfiles<D extends ProfileDriver>(parts: ProfilesParts<D>) {
  const { db } = parts.database;
  const { secrets } = parts;
  const { forRow, mayReach, hostKeys, driver, ...reaching } = createReaching(parts);
  const byKey = lookup((keys) => byKeys(db, keys));

  const notThere = (key: string) =>
    new HangarError('profile_not_found', { message: `There is no profile ${profileName(key)}.` });
  async function row(key: string): Promise<Row> {
    const found = await byKey(key);
    if (!found) throw notThere(key);
    return found;
  }
  /** What a name means to a person: their own before the server's. */
  async function named(userId: string, name: string): Promise<Row> {
    // A key is nothing that anybody says.
    if (name === '' || name.includes('/')) throw notThere(name);
    const [own, servers] = await Promise.all([byKey(profileKey(userId, name)), byKey(name)]);
    const found = own ?? servers;
    if (!found) throw notThere(name);
    return found;
  }
  /** The same, of those that the person may change. @throws HangarError admin_only, profile_not_found */
  async function changeable(who: Asking, name: string): Promise<Row> {
    const found = await named(who.userId, name);
    if (found.userId === null && !who.everybody) throw new HangarError('admin_only');
    return found;
  }
  async function view(userId: string, rows: readonly Row[]): Promise<Profile[]> {
    const [running, own] = await Promise.all([parts.places.inUse('job'), byKey(defaultKey(userId))]);
    return rows.map(({ key, userId: of, driver, settings, secretNames, limits, isDefault, createdAt }) => ({
      ...{ name: profileName(key), driver, personal: of !== null, settings, limits },
      isDefault: isDefault && (own === undefined || of !== null),
      secrets: Object.fromEntries(secretsOf(driver).map((name) => [name, secretNames.includes(name)])),
      createdAt: createdAt.toISOString(),
      jobsRunning: running.get(key) ?? 0,
    }));
  }
  const viewOne = async ({ userId }: Pick<Asking, 'userId'>, found: Row): Promise<Profile> => {
    const [profile] = await view(userId, [found]);
    if (!profile) throw new HangarError('profile_not_found');
    return profile;
  };
  /** Does what names secrets that were put before; what was put for nothing is taken away again. */
  async function naming<T>(ref: string | null, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // The sweep comes to it later otherwise.
      if (ref !== null) await secrets.remove(ref).catch(() => undefined);
      throw error;
    }
  }
  const putAll = async (values: Readonly<Record<string, string>>): Promise<string | null> =>
    Object.keys(values).length === 0 ? null : secrets.put(values);

  /** Null: the secrets were changed by somebody else meanwhile. */
  async function tryUpdate(seen: Row, change: ProfileChange): Promise<Row | null> {
    const { settings = {}, limits = {}, forgetHostKey = false } = change;
    const wanted = changed(seen, settings);
    const isSecret = secretsOf(seen.driver).some((name) => name in settings);
    await mayReach({ ...seen, settings: wanted.settings }, { must: false });
    let secret: Pick<Settings, 'blobKey' | 'secretNames'> | null = null;
    if (isSecret) {
      const before = seen.blobKey === null ? {} : await secrets.get(seen.blobKey).catch(withoutLost);
      const kept = Object.entries(before).filter(([name]) => !(name in settings));
      const values = { ...Object.fromEntries(kept), ...wanted.secret };
      secret = { blobKey: await putAll(values), secretNames: Object.keys(values).sort() };
    }
    return naming(secret?.blobKey ?? null, () =>
      db.transaction(async (tx) => {
        await tx.select().from(profiles).where(eq(profiles.key, seen.key)).for('update');
        const [before] = await rowsOf(tx, eq(profiles.key, seen.key));
        if (!before) throw notThere(seen.key);
        if (secret !== null && before.blobKey !== seen.blobKey) return null;
        const { blobKey, secretNames } = secret ?? before;
        const next = {
          ...{ key: seen.key, driver: before.driver, blobKey, secretNames },
          settings: changed(before, settings).settings,
          limits: { ...before.limits, ...limits },
        };
        forRow(next);
        if (secret?.blobKey) await secrets.claim(tx, secret.blobKey);
        if (forgetHostKey) await hostKeys.forget(tx, seen.key);
        const revision = await revise(tx, next);
        const now = { settings: next.settings, limits: next.limits, revision };
        await tx.update(profiles).set(now).where(eq(profiles.key, seen.key));
        return { ...before, ...next, revision };
      }),
    ).then(async (done) => {
      if (done === null && secret?.blobKey) await secrets.remove(secret.blobKey).catch(() => undefined);
      return done;
    });
  }

  return {
    /** What a person means by a name, or their default, or else the server's; `name` is the key by which rows name it. */
    async find(name: string | undefined, userId: string): Promise<{ name: string; driver: DriverName }> {
      const found =
        name === undefined
          ? ((await byKey(defaultKey(userId))) ?? (await byKey(defaultKey(null))))
          : await named(userId, name);
      if (!found)
        throw new HangarError('profile_not_found', {
          message: 'There is no default profile.',
          wayOut: 'Name one with --on, or: hangar profiles default NAME',
        });
      return { name: found.key, driver: found.driver };
    },
    /** The profile that a row names. @throws HangarError profile_not_found */
    async byKey(key: string): Promise<{ name: string; driver: DriverName }> {
      const found = await row(key);
      return { name: found.key, driver: found.driver };
    },
    /** The key that rows have which a person means by a name; that of the server's where there is none. */
    async keyOf(name: string, userId: string): Promise<string> {
      const own = profileKey(userId, name);
      return name.includes('/') || (await byKey(own)) ? own : name;
    },
    /** Number of the settings that the profile has now. @throws HangarError profile_not_found */
    revisionOf: async (key: string): Promise<number> => (await row(key)).revision,
    ...reaching,
    /** Of clusters that jobs may run in. */
    async namespaces(): Promise<string[]> {
      const rows = await db.select().from(profiles).where(eq(profiles.driver, 'kubernetes'));
      return rows.flatMap(({ settings: { namespace } }) => (typeof namespace === 'string' ? [namespace] : []));
    },
    /** By key. */
    async jobsAtOnce(): Promise<ReadonlyMap<string, number>> {
      const rows = await db.select().from(profiles);
      return new Map(
        rows.flatMap((found) =>
          found.limits.jobsAtOnce === undefined ? [] : [[found.key, found.limits.jobsAtOnce] as const],
        ),
      );
    },
    /** On first start: a profile of the first driver there is, the default. */
    async ensureFirst(o: FirstProfile): Promise<void> {
      const any = await db.select({ key: profiles.key }).from(profiles).where(isNull(profiles.userId)).limit(1);
      const [first] = parts.drivers;
      if (any.length > 0 || first === undefined) return;
      const jobsAtOnce = o.jobsAtOnce[first.name];
      const made = {
        key: first.name,
        driver: first.name,
        settings: DriverSettings[first.name].parse(o.settings[first.name] ?? {}),
        limits: jobsAtOnce === undefined ? {} : { jobsAtOnce },
      };
      await db.transaction(async (tx) => {
        const added = await tx
          .insert(profiles)
          .values({ ...made, isDefault: true })
          .onConflictDoNothing()
          .returning({ key: profiles.key });
        // Another server may be first, too.
        if (added.length === 0) return;
        const revision = await revise(tx, { ...made, blobKey: null, secretNames: [] });
        await tx.update(profiles).set({ revision }).where(eq(profiles.key, made.key));
      });
    },

    /** What each name means to the person: one of the server is hidden behind a personal one of its name. */
    async list(userId: string): Promise<{ items: Profile[] }> {
      const rows = await rowsOf(db, or(isNull(profiles.userId), eq(profiles.userId, userId)));
      const own = new Set(rows.flatMap(({ key }) => (profileOwner(key) === null ? [] : [profileName(key)])));
      const seen = rows.filter(({ key, userId: of }) => of !== null || !own.has(key));
      const items = await view(userId, seen);
      return { items: items.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    },
    get: async (userId: string, name: string): Promise<Profile> => viewOne({ userId }, await named(userId, name)),

    async create(who: Asking, input: NewProfile): Promise<Profile> {
      const { name, limits, isDefault, personal = !who.everybody } = input;
      const userId = personal ? who.userId : null;
      if (!personal && !who.everybody) throw new HangarError('admin_only');
      if (personal && !PERSONAL_DRIVERS.includes(input.driver))
        throw new HangarError('admin_only', {
          message: `A personal profile may be of ${PERSONAL_DRIVERS.join(', ')}. One of ${input.driver} is the server's, and only an admin makes it.`,
        });
      const { settings, secret } = divided(input.driver, input.settings);
      if (personal) refuseFromConfig(settings);
      const key = profileKey(userId, name);
      const bare = { key, driver: input.driver, settings, limits, secretNames: Object.keys(secret).sort() };
      forRow({ ...bare, blobKey: null });
      await mayReach({ ...bare, blobKey: null }, { must: false });
      const blobKey = await putAll(secret);
      return naming(blobKey, () =>
        db.transaction(async (tx): Promise<Row> => {
          if (isDefault) await noDefault(tx, userId);
          if (blobKey !== null) await secrets.claim(tx, blobKey);
          await tx.insert(profiles).values({ ...bare, userId, isDefault });
          const revision = await revise(tx, { ...bare, blobKey });
          const [created] = await tx.update(profiles).set({ revision }).where(eq(profiles.key, key)).returning();
          if (!created) throw new HangarError('internal');
          return { ...created, blobKey, secretNames: bare.secretNames };
        }),
      )
        .then((made) => viewOne(who, made))
        .catch((error: unknown) => {
          throw isUniqueViolation(error)
            ? new HangarError('profile_exists', { message: `There is already a profile ${name}.` })
            : error;
        });
    },

    async update(who: Asking, name: string, change: ProfileChange): Promise<Profile> {
      for (let tries = 0; tries < CHANGES_AT_ONCE; tries += 1) {
        const seen = await changeable(who, name);
        if (seen.userId !== null) refuseFromConfig(change.settings ?? {});
        const updated = await tryUpdate(seen, change);
        if (updated !== null) return viewOne(who, updated);
      }
      throw new HangarError('profile_in_use', {
        message: `The secrets of profile ${name} are being changed by others all the time.`,
        wayOut: 'Try again.',
      });
    },

    /** Refused while anything waits or runs on it. What is left of units of ended ones is removed though it is gone. */
    async remove(who: Asking, name: string): Promise<void> {
      const { key, isDefault, userId } = await changeable(who, name);
      const isServers = userId === null;
      if (isDefault && isServers) throw new HangarError('profile_is_default');
      const uses = await parts.places.unfinishedOn(key);
      if (uses.size > 0)
        throw new HangarError('profile_in_use', {
          message: `${usesInWords(uses)} on this profile.`,
          details: Object.fromEntries([...uses].map(([noun, n]) => [several(noun), n])),
        });
      await db.transaction(async (tx) => {
        const gone = await tx
          .delete(profiles)
          .where(and(eq(profiles.key, key), isServers ? eq(profiles.isDefault, false) : undefined))
          .returning({ key: profiles.key });
        if (gone.length === 0) throw new HangarError(isServers ? 'profile_is_default' : 'profile_not_found');
        await supersede(tx, key);
      });
    },

    /**
     * One's own becomes one's own default, one of the server that of everybody. Whoever names the server's own default has no other
     * any more. @throws HangarError admin_only
     */
    async makeDefault(who: Asking, name: string): Promise<Profile> {
      const wanted = await named(who.userId, name);
      const isSet = wanted.userId === null && wanted.isDefault;
      if (!isSet) await changeable(who, name);
      await db.transaction(async (tx) => {
        await noDefault(tx, who.userId);
        if (isSet) return;
        if (wanted.userId === null) await noDefault(tx, null);
        const made = await tx
          .update(profiles)
          .set({ isDefault: true })
          .where(eq(profiles.key, wanted.key))
          .returning({ key: profiles.key });
        if (made.length === 0) throw notThere(wanted.key);
      });
      return viewOne(who, await row(wanted.key));
    },

    async test(userId: string, name: string, signal: AbortSignal): Promise<{ ok: boolean; checks: ProfileCheck[] }> {
      const found = await named(userId, name);
      await mayReach(found);
      const launcher = forRow(found) as { test(o: { signal: AbortSignal }): Promise<ProfileCheck[]> };
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

/** What the account of the server has in its ~/.ssh is not everybody's. */
function refuseFromConfig({ fromConfig }: Readonly<Record<string, unknown>>): void {
  if (fromConfig !== true) return;
  throw new HangarError('validation_failed', {
    message: "settings.fromConfig: a personal profile has its own key, and takes nothing from the server's ~/.ssh.",
    details: { issues: [{ field: 'settings.fromConfig', message: 'Only a profile of the server may have it' }] },
  });
}

/** Values that the store has lost do not keep anybody from setting new ones. */
function withoutLost(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof HangarError && error.code === 'profile_secret_missing') return {};
  throw error;
}

const several = (noun: string): string => (noun.endsWith('x') ? `${noun}es` : `${noun}s`);

/** "One job waits or runs", "3 jobs wait or run", and so on for each noun. */
function usesInWords(uses: ReadonlyMap<string, number>): string {
  const words = [...uses].map(([noun, n]) => (n === 1 ? `one ${noun}` : `${n} ${several(noun)}`)).join(' and ');
  const all = [...uses.values()].reduce((sum, n) => sum + n, 0);
  return `${words.charAt(0).toUpperCase()}${words.slice(1)} ${all === 1 ? 'waits or runs' : 'wait or run'}`;
}

export type Profiles<D extends ProfileDriver = ProfileDriver> = ReturnType<typeof createProfiles<D>>;
