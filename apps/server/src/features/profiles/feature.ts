import type { Capability, Foundation, SearchSource } from '../../platform/capability.ts';
import { api } from '../../platform/http/routes.ts';
import { createProfiles, type FirstProfile, type ProfileDriver, type Profiles } from './profiles.ts';

/** Named ways to reach compute. `first`: the profile that is made when there is none. */
export function profilesFeature<D extends ProfileDriver>(
  { database, places }: Foundation,
  o: { readonly drivers: readonly D[]; readonly first: FirstProfile },
): Capability & { readonly profiles: Profiles<D> } {
  const profiles = createProfiles({ database, places, drivers: o.drivers });
  return {
    profiles,
    router: { profiles: profilesRoutes(profiles) },
    search: searchProfiles(profiles),
    prepare: () => profiles.ensureFirst(o.first),
  };
}

const searchProfiles =
  (profiles: Pick<Profiles, 'list'>): SearchSource =>
  async (_caller, text) => {
    const { items } = await profiles.list();
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

export const profilesRoutes = (profiles: Served) => ({
  list: api.profiles.list.handler(() => profiles.list()),
  get: api.profiles.get.handler(({ input }) => profiles.get(input.name)),
  create: api.profiles.create.handler(({ input }) => profiles.create(input)),
  update: api.profiles.update.handler(({ input: { name, settings, limits } }) =>
    profiles.update(name, { ...(settings ? { settings } : {}), ...(limits ? { limits } : {}) }),
  ),
  remove: api.profiles.remove.handler(async ({ input }) => {
    await profiles.remove(input.name);
    return { done: true as const };
  }),
  makeDefault: api.profiles.makeDefault.handler(({ input }) => profiles.makeDefault(input.name)),
  test: api.profiles.test.handler(({ input, context }) => profiles.test(input.name, context.signal)),
  drivers: api.profiles.drivers.handler(({ context }) => profiles.drivers(context.signal)),
});
