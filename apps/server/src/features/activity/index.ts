export { type ActivityBus, createActivity } from './activity.ts';
export { activityFeature } from './feature.ts';
