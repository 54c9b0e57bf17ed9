import { signedIn } from '../../platform/http/identity.ts';
import { api } from '../../platform/http/routes.ts';
import type { Credentials } from './credentials.ts';

export const credentialsRoutes = (credentials: Credentials) => ({
  list: api.credentials.list.handler(({ context }) => credentials.list(signedIn(context).userId)),
  create: api.credentials.create.handler(({ input, context }) => credentials.create(signedIn(context).userId, input)),
  remove: api.credentials.remove.handler(async ({ input, context }) => {
    await credentials.remove(signedIn(context).userId, input.name);
    return { done: true as const };
  }),
});
