import { type Driver, type DriverName, HangarError, type ProfileCheck } from '@hangar/contract';
import { and, eq, inArray, lt, sql } from 'drizzle-orm';
import type { Database } from '../../platform/database/index.ts';
import { lookup } from '../../platform/database/together.ts';
import type { Places } from '../../platform/places/places.ts';
import { profileName, profileOwner } from '../../platform/places/profile-key.ts';
import { createHostKeys, type HostKeys } from './host-keys.ts';
import { addressesFor, type HostRules, refuseLocal } from './hosts.ts';
import { type Row, rowsOf, type Settings } from './profile-rows.ts';
import { profileRevisions } from './profiles-tables.ts';
import type { ProfileSecrets } from './secrets/profile-secrets.ts';

/** What a driver gets of a profile. */
export interface ProfileOf {
  readonly name: string;
  /** Without what is secret in them. */
  readonly settings: Record<string, unknown>;
  readonly limits: Row['limits'];
  /** Opens a secret setting by its name when it is needed, never before; null when the profile has none. */
  secret(name: string): Promise<string | null>;
  readonly hostKeys: HostKeys;
  /** Of a personal one: where its connections may go, and nowhere else. */
  addressesOf?(host: string): Promise<readonly string[]>;
}

/** What profiles need of a driver; the launcher port of jobs fits. */
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
  readonly places: Omit<Places, 'heldBy'>;
  readonly secrets: ProfileSecrets;
  /** Where personal profiles may lead. */
  readonly hosts: HostRules;
}

/** A launch that read the settings of before may not have said so yet. */
const REVISION_AGE = sql`now() - interval '1 day'`;

/** Profiles as drivers reach them: with the settings they have or had, their secrets, and the host keys that are known. */
export function createReaching<D extends ProfileDriver>(parts: ProfilesParts<D>) {
  const { db } = parts.database;
  const { secrets } = parts;
  const hostKeys = createHostKeys(parts.database);

  function driver(name: string): D {
    const found = parts.drivers.find((candidate) => candidate.name === name);
    if (!found) throw new HangarError('driver_unknown', { message: `This server does not offer the driver ${name}.` });
    return found;
  }
  const forRow = ({ key, driver: of, settings, limits, blobKey, secretNames }: Settings): ReturnType<D['forProfile']> =>
    driver(of).forProfile({
      ...{ name: profileName(key), settings, limits },
      secret: async (name) =>
        blobKey === null || !secretNames.includes(name) ? null : ((await secrets.get(blobKey))[name] ?? null),
      hostKeys: hostKeys.of(key),
      ...(profileOwner(key) === null || parts.hosts.allowLocal
        ? {}
        : { addressesOf: (host: string) => addressesFor(host, parts.hosts) }),
    }) as ReturnType<D['forProfile']>;
  const isOffered = (found: Settings): boolean => parts.drivers.some(({ name }) => name === found.driver);
  /** A name may have got another address since it was written down. */
  async function mayReach(found: Settings, o = { must: true }): Promise<void> {
    if (profileOwner(found.key) !== null) await refuseLocal(found, parts.hosts, o);
  }
  /** Those that may be reached now. */
  async function reachable(rows: readonly Settings[]): Promise<{ name: string; reach: ReturnType<D['forProfile']> }[]> {
    const may = await Promise.all(
      rows.filter(isOffered).map(async (found) => ({
        found,
        may: await mayReach(found).then(
          () => true,
          () => false,
        ),
      })),
    );
    return may.flatMap((each) => (each.may ? [{ name: each.found.key, reach: forRow(each.found) }] : []));
  }

  /** By key and number, with a line end between them. */
  const byRevision = lookup(async (keys) => {
    const rows = await db
      .select()
      .from(profileRevisions)
      .where(inArray(sql`${profileRevisions.profile} || E'\\n' || ${profileRevisions.revision}`, [...keys]));
    return new Map(rows.map((found) => [`${found.profile}\n${found.revision}`, { ...found, key: found.profile }]));
  });

  return {
    ...{ driver, forRow, mayReach, hostKeys },
    /** The driver, set up with the settings that a profile had. @throws HangarError profile_not_found, driver_unknown, profile_host_refused */
    async reach(key: string, revision: number): Promise<ReturnType<D['forProfile']>> {
      const found = await byRevision(`${key}\n${revision}`);
      if (!found)
        throw new HangarError('profile_not_found', {
          message: `The settings ${revision} of profile ${profileName(key)} are gone.`,
        });
      await mayReach(found);
      return forRow(found);
    },
    /** Those whose driver this server offers. */
    all: async (): Promise<{ name: string; reach: ReturnType<D['forProfile']> }[]> =>
      reachable(await rowsOf(db, undefined)),
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
      await hostKeys.sweep();
      const kept = await db.select().from(profileRevisions);
      // A personal one may be refused where one of the server with the same settings is not.
      const placeOf = ({ profile, driver, settings, blobKey }: (typeof kept)[number]) =>
        JSON.stringify([driver, settings, blobKey, profileOwner(profile)]);
      const places = new Map(kept.map((each) => [placeOf(each), each]));
      return reachable([...places.values()].map((each) => ({ ...each, key: each.profile })));
    },
  };
}
