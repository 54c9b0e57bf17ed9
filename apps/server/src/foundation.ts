import type { Logger } from 'pino';
import { openBlobs } from './blobs.ts';
import type { Config } from './config.ts';
import { type ActivityBus, createActivity } from './features/activity/index.ts';
import type { Foundation } from './platform/capability.ts';
import { type Database, settingsStore, whileNoBackup } from './platform/database/index.ts';
import { openLive } from './platform/live/live.ts';
import { createLogs } from './platform/logs/index.ts';
import { createPlaces } from './platform/places/places.ts';
import { newId, openSecrets } from './platform/secrets/index.ts';

/** What every feature stands on, and the bus that all of them publish on. */
export async function openFoundation(
  database: Database,
  { config, log }: { readonly config: Config; readonly log: Logger },
): Promise<Foundation & { readonly activity: ActivityBus }> {
  const settings = settingsStore(database.db);
  const secrets = await openSecrets({ keyFile: config.masterKeyFile, generate: true, settings });
  const blobs = await openBlobs(config.blobs, log.child({ part: 'blobs' }), config.proxies);
  const activity = createActivity(database);
  return {
    ...{ database, settings, secrets, blobs, log, activity },
    instanceId: String(await settings.getOrSet('instance', newId('i'))),
    logs: createLogs({ database, blobs, log: log.child({ part: 'logs' }) }),
    live: await openLive({ database, log: log.child({ part: 'live' }) }),
    places: createPlaces(database),
    publish: activity.publish,
    whileNoBackup: (work) => whileNoBackup(database, work),
  };
}
