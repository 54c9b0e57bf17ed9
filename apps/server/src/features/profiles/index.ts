export { profilesFeature } from './feature.ts';
export type { ProfileDriver } from './reaching.ts';
export { type SecretStore, secretBinding } from './secrets/profile-secrets.ts';
export { secretsInBlobs, withSecrets } from './secrets/secrets-in-blobs.ts';
