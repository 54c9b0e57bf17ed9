export { type Credentials, createCredentials, type OpenCredential } from './credentials.ts';
export { credentialsRoutes } from './credentials-routes.ts';
