export { searchCredentials } from './credential-search.ts';
export { type Credentials, createCredentials, sealedCredentials } from './credentials.ts';
export { credentialsRoutes } from './credentials-routes.ts';
