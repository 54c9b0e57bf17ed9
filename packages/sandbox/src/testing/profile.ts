import type { ProfileOf } from '../port/driver.ts';

/** A profile with these settings and no secret. */
export const profileWith = (settings: Record<string, unknown>, limits: ProfileOf['limits'] = {}): ProfileOf => ({
  ...{ name: 'test', settings, limits, secret: async () => null },
});
