import { E2bSettings, HangarError, type UnitCapabilities } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Brought } from '../../port/brought.ts';
import type { Driver } from '../../port/driver.ts';
import { testProfile } from './profile-test.ts';
import { loadSdk, openClient, sdkVersion } from './sdk.ts';
import { createUnits } from './units.ts';

export interface E2bDriverOptions {
  /** Its instance tells which sandboxes of an account are of this Hangar. */
  readonly brought: Brought;
  readonly log: Logger;
  /** Says whether a proxy stands before E2B. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** How large a sandbox is stands in its template. */
export const UNITS: UnitCapabilities = {
  ...{ image: true, cpus: false, memory: false, pids: false, isolation: 'virtual machine', pause: true },
};

/** Units as sandboxes of E2B, or of an E2B that somebody runs. The package `e2b` is loaded when a profile is used. */
export function createE2bDriver({ brought, log, env = {} }: E2bDriverOptions): Driver {
  return {
    name: 'e2b',

    async describe({ signal }) {
      signal.throwIfAborted();
      const { available, detail } = await loadSdk().then(
        () => ({ available: true, detail: `Package e2b ${sdkVersion()}. A profile needs a key of E2B.` }),
        (error: HangarError) => ({ available: false, detail: `${error.message} ${error.wayOut}` }),
      );
      return {
        ...{ name: 'e2b', title: 'E2B', available, detail },
        settingsSchema: z.toJSONSchema(E2bSettings, { io: 'input' }),
        capabilities: UNITS,
      };
    },

    forProfile(profile) {
      const parsed = E2bSettings.safeParse(profile.settings);
      if (!parsed.success) {
        throw new HangarError('validation_failed', {
          message: `The settings of profile ${profile.name} are not those of the e2b driver.`,
          details: { issues: parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })) },
        });
      }
      const settings = parsed.data;
      // Opened for each use: a key that was changed counts at once.
      const client = async () => openClient({ settings, apiKey: await profile.secret('apiKey'), env });
      return {
        units: createUnits({ client, settings, brought, log }),
        async validate() {
          await client();
        },
        test: (call) => testProfile({ client, settings, instanceId: brought.instanceId, call }),
      };
    },

    async [Symbol.asyncDispose]() {},
  };
}
