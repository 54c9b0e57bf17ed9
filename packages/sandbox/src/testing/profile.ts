import type { Brought } from '../port/brought.ts';
import type { HostKeys, ProfileOf } from '../port/driver.ts';

/** Of drivers that meet no machine. */
export const NO_HOST_KEYS: HostKeys = { known: async () => [], pin: async (_address, lines) => lines };

/** Of drivers whose units are machines in hand. */
export const nothingBrought = (instanceId: string): Brought => ({
  ...{ programs: {}, nodeFile: process.execPath, httpUrl: 'http://127.0.0.1:1', socketDir: null, instanceId },
});

/** A profile with these settings and secrets. */
export const profileWith = (
  settings: Record<string, unknown>,
  limits: ProfileOf['limits'] = {},
  secrets: Readonly<Record<string, string>> = {},
): ProfileOf => ({
  ...{ name: 'test', settings, limits, secret: async (name) => secrets[name] ?? null },
  hostKeys: NO_HOST_KEYS,
});
