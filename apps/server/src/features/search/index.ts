import type { SearchHit } from '@hangar/contract';
import { type Identity, signedIn } from '../../platform/http/identity.ts';
import { api } from '../../platform/http/routes.ts';

/** Finds things of one noun for a person. Each looks only at what that person may see. */
export type SearchSource = (identity: Identity, text: string) => Promise<SearchHit[]>;

export const searchRoute = (sources: readonly SearchSource[]) =>
  api.system.search.handler(async ({ input, context }) => {
    const identity = signedIn(context);
    const found = await Promise.all(sources.map((source) => source(identity, input.q.toLowerCase())));
    return { items: found.flat().slice(0, 50) };
  });
