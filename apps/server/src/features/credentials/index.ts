export { sealedCredentials } from './credentials.ts';
export { credentialsFeature } from './feature.ts';
