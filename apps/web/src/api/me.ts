import type { Me } from '@hangar/contract';
import { useQuery } from '@tanstack/react-query';
import { useApi } from './client.tsx';
import { type Loadable, loadable } from './loadable.ts';

/** Who is signed in, with plan and use. */
export function useMe(): Loadable<Me> {
  const api = useApi();
  return loadable(useQuery(api.access.me.queryOptions({ input: {}, staleTime: 60_000 })));
}
