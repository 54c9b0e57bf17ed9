import { SEARCH_KINDS, VERSION } from '@hangar/contract';
import type { Capability, SearchSource } from '../../platform/capability.ts';
import { signedIn } from '../../platform/http/identity.ts';
import { api } from '../../platform/http/routes.ts';

/** Of each kind, so that no kind pushes out another. */
const MOST_OF_A_KIND = 20;
const MOST_FOUND = 50;

/** What the server says of itself, and one search over all nouns. */
export const systemFeature = (o: {
  readonly url: string;
  readonly needsFirstSignIn: () => Promise<boolean>;
  readonly sources: readonly SearchSource[];
}): Capability => ({
  router: {
    system: {
      info: api.system.info.handler(async () => ({
        name: 'hangar' as const,
        version: VERSION,
        url: o.url,
        needsFirstSignIn: await o.needsFirstSignIn(),
      })),
      search: api.system.search.handler(async ({ input, context }) => {
        const caller = signedIn(context);
        const found = await Promise.all(o.sources.map((source) => source(caller, input.q.toLowerCase())));
        const items = found.flatMap((hits) => hits.slice(0, MOST_OF_A_KIND));
        items.sort((a, b) => SEARCH_KINDS.indexOf(a.kind) - SEARCH_KINDS.indexOf(b.kind));
        return { items: items.slice(0, MOST_FOUND) };
      }),
    },
  },
});
