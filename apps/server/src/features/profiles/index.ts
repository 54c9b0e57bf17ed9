export { searchProfiles } from './profile-search.ts';
export { createProfiles, type ProfileDriver, type Profiles } from './profiles.ts';
export { profilesRoutes } from './profiles-routes.ts';
