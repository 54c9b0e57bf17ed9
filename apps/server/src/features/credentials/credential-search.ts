import type { SearchHit } from '@hangar/contract';
import type { Caller } from '../../platform/http/identity.ts';
import type { Credentials } from './credentials.ts';

/** One's own. */
export const searchCredentials =
  (credentials: Pick<Credentials, 'list'>) =>
  async (caller: Caller, text: string): Promise<SearchHit[]> => {
    const { items } = await credentials.list(caller.userId);
    return items
      .filter(({ name }) => name.includes(text))
      .map(({ name, kind }) => ({
        kind: 'credential',
        id: name,
        title: name,
        detail: kind,
        link: '/settings/credentials',
      }));
  };
