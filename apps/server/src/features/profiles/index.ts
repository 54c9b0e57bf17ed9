export { profilesFeature } from './feature.ts';
export type { ProfileDriver } from './profiles.ts';
export { SECRETS_PREFIX, type SecretStore, secretBinding } from './secrets/profile-secrets.ts';
export { secretsInBlobs, withSecrets } from './secrets/secrets-in-blobs.ts';
