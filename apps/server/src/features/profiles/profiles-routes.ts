import { api } from '../../platform/http/routes.ts';
import type { Profiles } from './profiles.ts';

type Served = Pick<Profiles, 'list' | 'get' | 'create' | 'update' | 'remove' | 'makeDefault' | 'test' | 'drivers'>;

export const profilesRoutes = (profiles: Served) => ({
  list: api.profiles.list.handler(() => profiles.list()),
  get: api.profiles.get.handler(({ input }) => profiles.get(input.name)),
  create: api.profiles.create.handler(({ input }) => profiles.create(input)),
  update: api.profiles.update.handler(({ input: { name, settings, limits } }) =>
    profiles.update(name, { ...(settings ? { settings } : {}), ...(limits ? { limits } : {}) }),
  ),
  remove: api.profiles.remove.handler(async ({ input }) => {
    await profiles.remove(input.name);
    return { done: true as const };
  }),
  makeDefault: api.profiles.makeDefault.handler(({ input }) => profiles.makeDefault(input.name)),
  test: api.profiles.test.handler(({ input, context }) => profiles.test(input.name, context.signal)),
  drivers: api.profiles.drivers.handler(({ context }) => profiles.drivers(context.signal)),
});
