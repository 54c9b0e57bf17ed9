export { profilesFeature } from './feature.ts';
export type { ProfileDriver } from './profiles.ts';
