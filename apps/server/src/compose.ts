import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { makeDataDir } from './control.ts';
import { type BuiltFiles, createDrivers } from './drivers.ts';
import { accessFeature, createAccess } from './features/access/index.ts';
import { activityFeature } from './features/activity/index.ts';
import { credentialsFeature } from './features/credentials/index.ts';
import { jobsFeature, type Patience } from './features/jobs/index.ts';
import { kubernetesFeature } from './features/kubernetes/index.ts';
import { profilesFeature } from './features/profiles/index.ts';
import { type SandboxesFeature, sandboxesFeature } from './features/sandboxes/index.ts';
import { systemFeature } from './features/system/index.ts';
import { openFoundation } from './foundation.ts';
import { addressOf } from './listen.ts';
import type { Capability } from './platform/capability.ts';
import { createChores } from './platform/chores.ts';
import { type Database, openDatabase } from './platform/database/index.ts';
import { orAborted } from './platform/waits.ts';
import { openSecretStore } from './secret-store.ts';
import { serve } from './serve.ts';
import { choresOver } from './upkeep.ts';

/** How long what is in hand may take to end when nobody says otherwise. */
export const STOP_MS = 10_000;

export interface HangarServer {
  readonly url: string;
  readonly app: FastifyInstance;
  readonly database: Database;
  /** A fresh one-time sign-in link while nobody has signed in yet, else null. */
  readonly firstSignInLink: string | null;
  adminKey(): Promise<{ key: string }>;
  signInLink(): Promise<{ url: string }>;
  /** Answers what is in hand, until the signal aborts, and ends; soon after it, whatever is stuck. */
  close(signal?: AbortSignal): Promise<void>;
}

export interface ServerOptions {
  readonly config: Config;
  readonly files: BuiltFiles;
  readonly log: Logger;
  readonly patience?: Patience;
  readonly signal?: AbortSignal;
  /** To the database, at most. */
  readonly connections?: number;
}

/** Builds the whole server and listens. The one place that knows every part. */
export async function startServer(o: ServerOptions): Promise<HangarServer> {
  const { config, log } = o;
  await makeDataDir(config.dataDir);
  const database = await openDatabase({
    dataDir: config.dataDir,
    log: log.child({ part: 'database' }),
    ...(config.databaseUrl === undefined ? {} : { url: config.databaseUrl }),
    ...(o.connections === undefined ? {} : { connections: o.connections }),
    ...(o.signal ? { signal: o.signal } : {}),
  });
  try {
    return await startOn(database, o);
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function startOn(database: Database, o: ServerOptions): Promise<HangarServer> {
  const { config, log } = o;
  const address = await addressOf(config);
  const f = await openFoundation(database, o);
  const drivers = createDrivers(f, config, o.files, address);
  const access = createAccess({
    ...{ database, secrets: f.secrets, publicUrl: address.url, log: log.child({ part: 'access' }) },
    alone: config.databaseUrl === undefined,
  });
  const people = { planOf: access.planOf, standingOf: access.plans.standingOf };
  const { allowLocalRepos, jobsAtOnce, heartbeatSeconds, checkpointSeconds } = config;

  const credentials = credentialsFeature(f);
  const profiles = profilesFeature(f, {
    ...{ drivers: drivers.offered, first: firstProfile(config) },
    store: openSecretStore({ config, blobs: f.blobs, log: log.child({ part: 'secrets' }) }),
    hosts: { allowLocal: config.allowLocalHosts, env: config.proxies },
  });
  const jobs = await jobsFeature(
    f,
    {
      people,
      profiles: profiles.profiles,
      credentials: credentials.credentials,
      sandboxes: workersIn(() => sandboxes),
    },
    { allowLocalRepos, jobsAtOnce, heartbeatSeconds, checkpointSeconds, patience: o.patience },
  );
  const { origins, workerEnded } = jobs;
  const sandboxes: SandboxesFeature = sandboxesFeature(
    f,
    { people, profiles: profiles.profiles, jobs: { ...origins, workerEnded }, brought: drivers.brought },
    { atOnce: config.sandboxesAtOnce },
  );
  const useOf = async (userId: string) => {
    const [ofJobs, sandboxesOpen] = await Promise.all([jobs.useOf(userId), sandboxes.openOf(userId)]);
    return { ...ofJobs, sandboxesOpen };
  };
  const { namespaces } = profiles.profiles;
  const capabilities: Capability[] = [
    { close: drivers.close },
    accessFeature(access, { useOf }),
    activityFeature(f, f.activity, config.activityDays),
    credentials,
    profiles,
    jobs,
    sandboxes,
    kubernetesFeature(f, { reach: drivers.clusterReach, jobOf: jobs.jobOf, namespacesOfJobs: namespaces }),
  ];
  const sources = capabilities.flatMap(({ search }) => search ?? []);
  const needsFirstSignIn = () => access.people.nobodyCameYet();
  capabilities.push(systemFeature({ url: address.url, needsFirstSignIn, sources }));

  for (const { live = {} } of capabilities) for (const [noun, view] of Object.entries(live)) f.live.show(noun, view);
  for (const { prepare } of capabilities) await prepare?.();
  const firstLink = await access.ensureFirstAdmin();
  const { webDir } = o.files;
  const door = await serve(f, capabilities, { ...drivers, config, address, access, webDir });
  const chores = createChores({
    log: log.child({ part: 'chores' }),
    chores: choresOver(f, capabilities, { ...people, everReached: profiles.profiles.everReached }),
  });

  async function close(signal = AbortSignal.timeout(config.drainSeconds * 1000 + STOP_MS)): Promise<void> {
    // Whatever is stuck, the next part is closed when the time is over.
    const part = (name: string, work: unknown) =>
      orAborted(Promise.resolve(work), signal).catch((error: unknown) =>
        log.warn({ err: error, part: name }, 'a part of the server did not end in time'),
      );
    // What this server has in hand goes to others at once; requests only when a balancer has seen that it stops.
    door.drain();
    const working = [chores.stop(signal), ...capabilities.map(({ stop }) => stop?.(signal))];
    await part('background work', Promise.all([...working, sleep(config.drainSeconds * 1000)]));
    await part('live streams', f.live.close());
    await part('logs', f.logs.close());
    await part('requests', door.close(signal));
    for (const capability of capabilities.toReversed()) await part('connections', capability.close?.());
    await database.close();
  }
  try {
    for (const { start } of capabilities) await start?.();
    chores.start();
  } catch (error) {
    await close(AbortSignal.timeout(STOP_MS));
    throw error;
  }
  return {
    ...{ url: address.url, app: door.app, database, close },
    firstSignInLink: firstLink?.url ?? null,
    adminKey: async () => ({ key: await access.adminKey() }),
    signInLink: async () => ({ url: (await access.firstAdminLink()).url }),
  };
}

/** Jobs work in sandboxes, which lay out the files of jobs: the one that is made first asks for the other only when it works. */
const workersIn = (sandboxes: () => SandboxesFeature): SandboxesFeature['workers'] => ({
  find: (...asked) => sandboxes().workers.find(...asked),
  environmentOf: (id) => sandboxes().workers.environmentOf(id),
  backend: (id) => sandboxes().workers.backend(id),
});

/** Of the first driver that is offered. */
function firstProfile({ dockerNetwork, kubernetes: { jobsNamespace } }: Config) {
  const here = Math.max(2, availableParallelism());
  return {
    jobsAtOnce: { local: here, docker: here },
    settings: {
      docker: dockerNetwork === undefined ? {} : { network: dockerNetwork },
      kubernetes: jobsNamespace === undefined ? {} : { namespace: jobsNamespace },
    },
  };
}
