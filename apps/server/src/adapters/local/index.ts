import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Driver, HangarError, LocalSettings } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { JobDriver, WorkerAccess } from '../../features/jobs/launch/launcher.ts';
import { type BubblewrapHere, findBubblewrap } from './bubblewrap.ts';
import { createLocalLauncher, type LocalParts } from './launcher.ts';
import { createPrograms } from './programs.ts';
import { describeWalls } from './test-local.ts';

export interface LocalDriverOptions {
  readonly access: WorkerAccess;
  /** Units live in `units` below it; the job never sees it. */
  readonly dataDir: string;
  readonly log: Logger;
  /** PATH of the server: where jobs without bubblewrap find agents. The system's folders when left out. */
  readonly path?: string | undefined;
  /** How the server reaches the network, which its workers do as well: proxies, and NODE_EXTRA_CA_CERTS. */
  readonly network?: Readonly<Record<string, string | undefined>>;
  /** More folders that no job may see, such as the one of the master key. */
  readonly hide?: readonly string[];
}

/** Jobs as processes on this machine, with bubblewrap around them where it works. */
export function createLocalDriver(options: LocalDriverOptions): JobDriver {
  const { access, log } = options;
  const dataDir = path.resolve(options.dataDir);
  const parts: LocalParts = {
    unitsDir: path.join(dataDir, 'units'),
    instanceId: access.instanceId,
    socketDir: access.socketDir === null ? null : path.resolve(access.socketDir),
    httpUrl: access.httpUrl,
    path: options.path ?? null,
    network: Object.fromEntries(
      Object.entries(options.network ?? {}).filter((entry): entry is [string, string] => Boolean(entry[1])),
    ),
    hide: [dataDir, os.homedir(), ...(options.hide ?? [])].filter((folder) => folder !== '/' && existsSync(folder)),
    programs: createPrograms(access, path.join(dataDir, 'units', '.programs')),
    launching: new Map(),
  };

  let tried: Promise<BubblewrapHere> | null = null;
  /** Tried once, and again only while it does not work: somebody may install it. */
  const bubblewrap = async (signal: AbortSignal): Promise<BubblewrapHere> => {
    tried ??= findBubblewrap(signal);
    try {
      const here = await tried;
      if (!here.found) {
        tried = null;
        log.debug({ why: here.why }, 'No bubblewrap');
      }
      return here;
    } catch (error) {
      tried = null;
      throw error;
    }
  };

  return {
    name: 'local',

    async describe({ signal }): Promise<Driver> {
      const { found, ...rest } = await bubblewrap(signal);
      const why = 'why' in rest ? ` ${rest.why}.` : '';
      return {
        name: 'local',
        title: 'This machine',
        available: true,
        detail: `${describeWalls(found)}${why} CPU and memory of a job are not limited here.`,
        settingsSchema: z.toJSONSchema(LocalSettings, { io: 'input' }),
        capabilities: {
          ...{ image: false, cpus: false, memory: false },
          pids: Boolean(found?.asRoot?.prlimit),
          isolation: found ? 'bubblewrap' : 'none',
        },
      };
    },

    forProfile({ name, settings, limits }) {
      const parsed = LocalSettings.safeParse(settings);
      if (!parsed.success) {
        throw new HangarError('validation_failed', {
          message: `The settings of profile ${name} are not those of the local driver.`,
          details: { issues: parsed.error.issues.map(({ path: at, message }) => ({ path: at.join('.'), message })) },
        });
      }
      const { isolation, readable } = parsed.data;
      return createLocalLauncher(parts, {
        show: readable,
        pids: limits.pids,
        walls: async (signal) => {
          if (isolation === 'none') return null;
          const here = await bubblewrap(signal);
          if (here.found || isolation === 'auto') return here.found;
          throw new HangarError('launch_failed', {
            message: `Profile ${name} wants bubblewrap: ${here.why}.`,
            wayOut: 'Install bubblewrap, or set isolation to auto or none.',
          });
        },
      });
    },
  };
}
