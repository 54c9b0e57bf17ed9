export { type Access, createAccess } from './access.ts';
export { sealedSigningKeys } from './devices/signing-keys.ts';
export { accessFeature } from './feature.ts';
export type { AccessRates } from './sessions/rate-limits.ts';
