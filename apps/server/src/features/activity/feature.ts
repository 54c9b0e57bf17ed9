import { rawOperations } from '@hangar/contract';
import type { Capability, Foundation } from '../../platform/capability.ts';
import type { ActivityBus } from './activity.ts';
import { activityRoutes } from './activity-routes.ts';
import { ACTIVITY } from './activity-store.ts';

/** The activity bus: what people and agents do, as it happens. Its `publish` is part of the foundation. */
export const activityFeature = ({ live }: Foundation, activity: ActivityBus, keepDays: number): Capability => ({
  router: { activity: activityRoutes(activity) },
  raw: [live.routes(rawOperations.activity.events, [ACTIVITY])],
  live: { [ACTIVITY]: (id) => activity.byId(id) },
  chores: [
    {
      name: 'remove activity that is over for long',
      everyMs: 3600_000,
      run: (signal) => activity.tidy(keepDays, signal),
    },
  ],
});
