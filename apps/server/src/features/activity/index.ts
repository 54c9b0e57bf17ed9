export { type ActivityBus, createActivity, type Publication } from './activity.ts';
export { activityRoutes } from './activity-routes.ts';
