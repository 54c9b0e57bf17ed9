import type { Capability, Foundation, SearchSource } from '../../platform/capability.ts';
import { signedIn } from '../../platform/http/identity.ts';
import { api } from '../../platform/http/routes.ts';
import { type Credentials, createCredentials } from './credentials.ts';

/** What git signs in with, for the time of one job. */
export function credentialsFeature(foundation: Foundation): Capability & { readonly credentials: Credentials } {
  const credentials = createCredentials(foundation);
  return {
    credentials,
    router: { credentials: credentialsRoutes(credentials) },
    search: searchCredentials(credentials),
  };
}

/** One's own. */
const searchCredentials =
  (credentials: Pick<Credentials, 'list'>): SearchSource =>
  async (caller, text) => {
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

export const credentialsRoutes = (credentials: Credentials) => ({
  list: api.credentials.list.handler(({ context }) => credentials.list(signedIn(context).userId)),
  create: api.credentials.create.handler(({ input, context }) => credentials.create(signedIn(context).userId, input)),
  remove: api.credentials.remove.handler(async ({ input, context }) => {
    await credentials.remove(signedIn(context).userId, input.name);
    return { done: true as const };
  }),
});
