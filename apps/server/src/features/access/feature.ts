import type { Use } from '@hangar/contract';
import type { Capability } from '../../platform/capability.ts';
import type { Access } from './access.ts';
import { accessRoutes } from './access-routes.ts';
import { oauthRoutes } from './devices/oauth-routes.ts';

/** Who may come in and as whom. `useOf`: what a person uses now. */
export const accessFeature = (access: Access, needs: { useOf: (userId: string) => Promise<Use> }): Capability => ({
  router: { access: accessRoutes(access, needs) },
  raw: [oauthRoutes(access)],
  chores: [
    {
      name: 'remove sign-ins and tokens that have expired',
      everyMs: 10 * 60_000,
      run: (signal) => access.sweep(signal),
    },
  ],
});
