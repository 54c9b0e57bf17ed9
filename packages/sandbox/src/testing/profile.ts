import type { HostKeys, ProfileOf } from '../port/driver.ts';

/** Of drivers that meet no machine. */
export const NO_HOST_KEYS: HostKeys = { known: async () => [], pin: async (_address, lines) => lines };

/** A profile with these settings and no secret. */
export const profileWith = (settings: Record<string, unknown>, limits: ProfileOf['limits'] = {}): ProfileOf => ({
  ...{ name: 'test', settings, limits, secret: async () => null },
  hostKeys: NO_HOST_KEYS,
});
