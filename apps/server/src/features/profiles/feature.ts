import type { Capability, Foundation } from '../../platform/capability.ts';
import { searchProfiles } from './profile-search.ts';
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
