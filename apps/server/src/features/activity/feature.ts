import { rawOperations } from '@hangar/contract';
import type { Capability, Foundation } from '../../platform/capability.ts';
import { signedIn } from '../../platform/http/identity.ts';
import { api } from '../../platform/http/routes.ts';
import type { ActivityBus } from './activity.ts';
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

export const activityRoutes = (activity: ActivityBus) => ({
  list: api.activity.list.handler(({ input, context }) => {
    const { limit, status, actor, correlationId } = input;
    return activity.list(signedIn(context), {
      limit,
      ...(status ? { status } : {}),
      ...(actor ? { actor } : {}),
      ...(correlationId ? { correlationId } : {}),
    });
  }),
  get: api.activity.get.handler(({ input, context }) => activity.get(signedIn(context), input.id)),
  start: api.activity.start.handler(({ input, context }) => {
    const { operation, steps, correlationId, link } = input;
    return activity.start(signedIn(context), {
      operation,
      steps,
      ...(correlationId ? { correlationId } : {}),
      ...(link ? { link } : {}),
    });
  }),
  publish: api.activity.publish.handler(({ input, context }) =>
    activity.say(signedIn(context), input.id, input.message, input.at === undefined ? new Date() : new Date(input.at)),
  ),
});
