import { blobsNamedBy } from '../../platform/blobs/orphans.ts';
import type { Capability, Foundation, SearchSource } from '../../platform/capability.ts';
import { signedIn } from '../../platform/http/identity.ts';
import { api } from '../../platform/http/routes.ts';
import type { HostRules } from './hosts.ts';
import { createProfiles, type FirstProfile, type Profiles } from './profiles.ts';
import type { ProfileDriver } from './reaching.ts';
import { createProfileSecrets, SECRETS_PREFIX, type SecretStore } from './secrets/profile-secrets.ts';

export interface ProfilesOptions<D extends ProfileDriver> {
  readonly drivers: readonly D[];
  /** The profile that is made when there is none. */
  readonly first: FirstProfile;
  readonly store: SecretStore;
  readonly hosts: HostRules;
}

/** Named ways to reach compute, of the server and of people. */
export function profilesFeature<D extends ProfileDriver>(
  f: Foundation,
  o: ProfilesOptions<D>,
): Capability & { readonly profiles: Profiles<D> } {
  const { database, places, log } = f;
  const secrets = createProfileSecrets({ ...f, store: o.store });
  const profiles = createProfiles({ database, places, secrets, drivers: o.drivers, hosts: o.hosts });
  return {
    profiles,
    router: profilesRoutes(profiles),
    search: searchProfiles(profiles),
    blobs: [blobsNamedBy(database, SECRETS_PREFIX, { table: 'profile_revision', id: `split_part(blob_key, '/', 2)` })],
    chores: [
      {
        name: 'remove secrets of profiles that nobody needs',
        everyMs: 30 * 60_000,
        async run(signal) {
          const removed = await secrets.sweep(signal);
          if (removed > 0) log.info({ removed }, 'removed secrets of profiles that nobody needs');
        },
      },
    ],
    prepare: () => profiles.ensureFirst(o.first),
  };
}

const searchProfiles =
  (profiles: Pick<Profiles, 'list'>): SearchSource =>
  async ({ userId }, text) => {
    const { items } = await profiles.list(userId);
    return items
      .filter(({ name }) => name.includes(text))
      .map(({ name, driver }) => ({
        kind: 'profile',
        id: name,
        title: name,
        detail: driver,
        link: '/settings/profiles',
      }));
  };

type Served = Pick<Profiles, 'list' | 'get' | 'create' | 'update' | 'remove' | 'makeDefault' | 'test' | 'drivers'>;

/** Both groups do the same with profiles. */
export function profilesRoutes(profiles: Served) {
  const under = (of: typeof api.profiles | typeof api.drivers) => ({
    list: of.list.handler(({ context }) => profiles.list(signedIn(context).userId)),
    get: of.get.handler(({ input, context }) => profiles.get(signedIn(context).userId, input.name)),
    create: of.create.handler(({ input, context }) => profiles.create(signedIn(context), input)),
    update: of.update.handler(({ input: { name, settings, limits, forgetHostKey }, context }) =>
      profiles.update(signedIn(context), name, {
        ...(settings ? { settings } : {}),
        ...(limits ? { limits } : {}),
        ...(forgetHostKey ? { forgetHostKey } : {}),
      }),
    ),
    remove: of.remove.handler(async ({ input, context }) => {
      await profiles.remove(signedIn(context), input.name);
      return { done: true as const };
    }),
    makeDefault: of.makeDefault.handler(({ input, context }) => profiles.makeDefault(signedIn(context), input.name)),
  });
  return {
    profiles: {
      ...under(api.profiles),
      test: api.profiles.test.handler(({ input, context }) =>
        profiles.test(signedIn(context).userId, input.name, context.signal),
      ),
      drivers: api.profiles.drivers.handler(({ context }) => profiles.drivers(context.signal)),
    },
    drivers: under(api.drivers),
  };
}
