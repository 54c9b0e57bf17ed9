export { type Access, createAccess } from './access.ts';
export { accessFeature } from './feature.ts';
export type { AccessRates } from './rate-limits.ts';
export { sealedSigningKeys } from './signing-keys.ts';
