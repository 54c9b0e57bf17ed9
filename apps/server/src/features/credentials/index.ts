export { type Credentials, createCredentials } from './credentials.ts';
export { credentialsRoutes } from './credentials-routes.ts';
