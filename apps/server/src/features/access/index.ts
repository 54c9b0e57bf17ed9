export { type Access, createAccess } from './access.ts';
export { accessRoutes } from './access-routes.ts';
export { oauthRoutes } from './oauth-routes.ts';
export type { AccessRates } from './rate-limits.ts';
export { sealedSigningKeys } from './signing-keys.ts';
