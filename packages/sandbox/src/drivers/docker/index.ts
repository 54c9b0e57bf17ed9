import { DockerSettings, HangarError, type UnitCapabilities } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Brought } from '../../port/brought.ts';
import type { Driver } from '../../port/driver.ts';
import { createEngine, type Engine } from './engine.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { createDockerReach } from './units.ts';

export interface DockerDriverOptions {
  readonly brought: Brought;
  readonly log: Logger;
  /** Says whether a proxy stands before an Engine that is reached over the network. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export const UNITS: UnitCapabilities = {
  ...{ image: true, cpus: true, memory: true, pids: true, isolation: 'container', pause: true },
};

/** Units as containers of a Docker Engine, on this machine or another. */
export function createDockerDriver({ brought, log, env }: DockerDriverOptions): Driver {
  const engines = new Map<string, { engine: Engine; runtime: Runtime; launching: Map<string, Promise<void>> }>();
  const partsFor = (host: string) => {
    const known = engines.get(host);
    if (known) return known;
    const engine = createEngine(host, env);
    const made = { engine, runtime: createRuntime(engine, brought, brought.instanceId), launching: new Map() };
    engines.set(host, made);
    return made;
  };

  return {
    name: 'docker',

    async describe({ signal }) {
      const { host } = DockerSettings.parse({});
      const { available, detail } = await partsFor(host)
        .engine.info({ signal, fresh: true })
        .then(
          ({ version }) => ({ available: true, detail: `Docker Engine ${version} on this machine.` }),
          (error: unknown) => {
            signal.throwIfAborted();
            log.debug({ err: error }, 'No Docker Engine at the default place');
            const message = error instanceof HangarError ? error.message : 'Docker cannot be reached.';
            return { available: false, detail: `${message} Install Docker, or make a profile with another host.` };
          },
        );
      return {
        ...{ name: 'docker', title: 'Docker', available, detail },
        settingsSchema: z.toJSONSchema(DockerSettings, { io: 'input' }),
        capabilities: UNITS,
      };
    },

    forProfile({ name, settings, limits }) {
      const parsed = DockerSettings.safeParse(settings);
      if (!parsed.success) {
        throw new HangarError('validation_failed', {
          message: `The settings of profile ${name} are not those of the docker driver.`,
          details: { issues: parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })) },
        });
      }
      return createDockerReach({ ...partsFor(parsed.data.host), brought }, { settings: parsed.data, limits });
    },

    // Connections are made for each call.
    [Symbol.asyncDispose]: async () => {},
  };
}
