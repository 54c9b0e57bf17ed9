import type { SearchHit } from '@hangar/contract';
import type { Caller } from '../../platform/http/identity.ts';
import type { Profiles } from './profiles.ts';

export const searchProfiles =
  (profiles: Pick<Profiles, 'list'>) =>
  async (_caller: Caller, text: string): Promise<SearchHit[]> => {
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
