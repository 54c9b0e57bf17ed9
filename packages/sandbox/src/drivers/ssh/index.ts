import { createHash } from 'node:crypto';
import { type Driver as DriverDescription, HangarError, SshSettings, type UnitCapabilities } from '@hangar/contract';
import { z } from 'zod';
import { createRemotePrograms, type RemotePrograms } from '../../brought/remote/programs.ts';
import { isLoopback, urlOfServer } from '../../brought/remote/way-to-server.ts';
import type { Brought } from '../../port/brought.ts';
import type { Driver } from '../../port/driver.ts';
import { askMaster, environmentOfSsh } from './client.ts';
import { type Connection, createConnection } from './connection.ts';
import { whyScriptFailed } from './failures.ts';
import type { SshClient } from './master.ts';
import { createPrivateFolder } from './private-folder.ts';
import { runScript } from './session.ts';
import { clientVersion, testMachine } from './test-machine.ts';
import { createUnits } from './units.ts';

export { hostKeyAddress } from './route.ts';

export interface SshDriverOptions {
  /** Its instance names the folder of all units of this Hangar on a machine. */
  readonly brought: Brought;
  /** Environment of the server. ssh gets PATH, HOME, USER, LOGNAME and SSH_AUTH_SOCK of it, nothing else. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Where sockets and, while a sign-in lasts, keys are: best in memory, with a short path of letters, digits, dots and dashes; `/tmp` where it
   * is another. Each process has a folder of its own in it.
   */
  readonly runtimeDir: string;
}

export const UNITS: UnitCapabilities = {
  ...{ image: false, cpus: false, memory: false, pids: false, isolation: 'none', pause: false },
};

/**
 * Units as folders of an account on any Linux machine that has sshd and sh. The system's ssh brings what administrators know and have set up;
 * sessions share connections. What an admin wrote into ~/.ssh/config is used only where the profile says `fromConfig`.
 */
export function createSshDriver(o: SshDriverOptions): Driver {
  const { instanceId } = o.brought;
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(instanceId) || instanceId === 'programs')
    throw new Error('The instance id is none that a folder can have.');
  const env = environmentOfSsh(o.env);
  const shared: Omit<SshClient, 'hostKeys' | 'addressesOf'> = {
    env,
    folder: createPrivateFolder({
      ...{ base: o.runtimeDir, instanceId },
      endLeftover: async (socket) => void (await askMaster(env, socket, 'exit')),
    }),
  };
  /** By settings and key: who has another key does not go through a connection that this one opened. */
  const connections = new Map<string, Connection>();
  const making = new Map<string, Map<string, number>>();
  /** By settings: what is known to be on a machine. */
  const programs = new Map<string, RemotePrograms>();

  return {
    name: 'ssh',

    async describe({ signal }): Promise<DriverDescription> {
      const version = await clientVersion(env, signal);
      return {
        ...{ name: 'ssh', title: 'SSH', available: version !== null },
        detail:
          version === null
            ? 'There is no ssh on the machine of this server. Install the OpenSSH client.'
            : `${version}. Any Linux machine with an SSH server; CPU and memory are not limited there.`,
        settingsSchema: z.toJSONSchema(SshSettings, { io: 'input' }),
        capabilities: UNITS,
      };
    },

    forProfile(profile) {
      const parsed = SshSettings.safeParse(profile.settings);
      if (!parsed.success) {
        throw new HangarError('validation_failed', {
          message: `The settings of profile ${profile.name} are not those of the ssh driver.`,
          details: { issues: parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })) },
        });
      }
      const settings = parsed.data;
      const client: SshClient = { ...shared, hostKeys: profile.hostKeys, addressesOf: profile.addressesOf };
      const secret = () => profile.secret('key');
      const bySettings = `${profile.name}\0${JSON.stringify(settings)}`;
      let mine: Promise<Connection> | null = null;
      const connection = (): Promise<Connection> => {
        mine ??= secret().then((key) => {
          const name = createHash('sha256').update(`${bySettings}\0${key}`).digest('hex');
          const known = connections.get(name) ?? createConnection(client, settings, secret);
          connections.set(name, known);
          return known;
        });
        const asked = mine;
        asked.catch(() => {
          if (mine === asked) mine = null;
        });
        return asked;
      };
      const place = { folder: settings.folder, instanceId };
      const makingHere = making.get(bySettings) ?? new Map<string, number>();
      making.set(bySettings, makingHere);
      const programsThere =
        programs.get(bySettings) ?? createRemotePrograms(o.brought, { place, ownNode: false, stays: true });
      programs.set(bySettings, programsThere);
      const url = () =>
        urlOfServer({
          ...{ serverUrl: settings.serverUrl, httpUrl: o.brought.httpUrl, machine: settings.host },
          isHere: isLoopback(settings.host) && settings.jump.length === 0 && !settings.fromConfig,
        });
      const bringing = { brought: o.brought, programs: programsThere, url };
      return {
        units: createUnits(client, connection, place, bringing, makingHere),

        async validate({ signal }) {
          await runScript(client, await connection(), {
            ...{ script: ':', most: 1_024, signal, deadlineMs: 60_000 },
            failed: (complaint, code) => whyScriptFailed('The account runs no commands', complaint, code),
          });
        },

        test: (call) => testMachine(client, settings, secret, call.signal),
      };
    },

    async [Symbol.asyncDispose]() {
      await Promise.all([...connections.values()].map((connection) => connection.close()));
      await shared.folder.remove();
    },
  };
}
