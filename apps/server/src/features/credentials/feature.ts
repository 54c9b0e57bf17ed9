import type { Capability, Foundation } from '../../platform/capability.ts';
import { searchCredentials } from './credential-search.ts';
import { type Credentials, createCredentials } from './credentials.ts';
import { credentialsRoutes } from './credentials-routes.ts';

/** What git signs in with, for the time of one job. */
export function credentialsFeature(foundation: Foundation): Capability & { readonly credentials: Credentials } {
  const credentials = createCredentials(foundation);
  return {
    credentials,
    router: { credentials: credentialsRoutes(credentials) },
    search: searchCredentials(credentials),
  };
}
