import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { HangarError, LocalSettings, type UnitCapabilities } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Brought } from '../../port/brought.ts';
import type { Driver } from '../../port/driver.ts';
import { type BubblewrapHere, findBubblewrap } from './bubblewrap.ts';
import { createPrograms } from './programs.ts';
import { describeWalls } from './test-local.ts';
import { createLocalReach, type LocalParts } from './units.ts';

export interface LocalDriverOptions {
  readonly brought: Brought;
  /** Units live in `units` below it; they never see it. */
  readonly dataDir: string;
  readonly log: Logger;
  /** PATH of the server: where units without bubblewrap find agents. The system's folders when left out. */
  readonly path?: string | undefined;
  /** How the server reaches the network, which its units do as well: proxies, and NODE_EXTRA_CA_CERTS. */
  readonly network?: Readonly<Record<string, string | undefined>>;
  /** More folders that no unit may see, such as the one of the master key. */
  readonly hide?: readonly string[];
}

/** At best: as root, with bubblewrap. What is there is found out. */
export const UNITS: UnitCapabilities = {
  ...{ image: false, cpus: false, memory: false, pids: true, isolation: 'bubblewrap', pause: false },
};

/** Units as processes on this machine, with bubblewrap around them where it works. */
export function createLocalDriver(options: LocalDriverOptions): Driver {
  const { brought, log } = options;
  const dataDir = path.resolve(options.dataDir);
  const parts: LocalParts = {
    unitsDir: path.join(dataDir, 'units'),
    instanceId: brought.instanceId,
    socketDir: brought.socketDir === null ? null : path.resolve(brought.socketDir),
    httpUrl: brought.httpUrl,
    path: options.path ?? null,
    network: Object.fromEntries(
      Object.entries(options.network ?? {}).filter((entry): entry is [string, string] => Boolean(entry[1])),
    ),
    hide: [dataDir, os.homedir(), ...(options.hide ?? [])].filter((folder) => folder !== '/' && existsSync(folder)),
    programs: createPrograms(brought, path.join(dataDir, 'units', '.programs')),
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

    async describe({ signal }) {
      const { found, ...rest } = await bubblewrap(signal);
      const why = 'why' in rest ? ` ${rest.why}.` : '';
      return {
        name: 'local',
        title: 'This machine',
        available: true,
        detail: `${describeWalls(found)}${why} CPU and memory of a job are not limited here.`,
        settingsSchema: z.toJSONSchema(LocalSettings, { io: 'input' }),
        capabilities: {
          ...UNITS,
          pids: Boolean(found?.asRoot?.prlimit),
          isolation: found ? UNITS.isolation : 'none',
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
      return createLocalReach(parts, {
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

    // Units live on by themselves.
    [Symbol.asyncDispose]: async () => {},
  };
}
