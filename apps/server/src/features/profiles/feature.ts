import type { Capability, Foundation, SearchSource } from '../../platform/capability.ts';
import { createProfiles, type FirstProfile, type ProfileDriver, type Profiles } from './profiles.ts';
import { profilesRoutes } from './profiles-routes.ts';

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
