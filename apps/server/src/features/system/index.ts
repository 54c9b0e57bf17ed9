import { VERSION } from '@hangar/contract';
import type { Capability } from '../../platform/capability.ts';
import { signedIn } from '../../platform/http/identity.ts';
import { api } from '../../platform/http/routes.ts';
import type { SearchSource } from '../../platform/search.ts';

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
        const identity = signedIn(context);
        const found = await Promise.all(o.sources.map((source) => source(identity, input.q.toLowerCase())));
        return { items: found.flat().slice(0, MOST_FOUND) };
      }),
    },
  },
});
