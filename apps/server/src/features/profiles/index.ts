export { createProfiles, type ProfileDriver, type Profiles } from './profiles.ts';
export { profilesRoutes } from './profiles-routes.ts';
