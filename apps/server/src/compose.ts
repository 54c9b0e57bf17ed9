import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError, VERSION } from '@hangar/contract';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createDockerDriver } from './adapters/docker/index.ts';
import { createClusterReach, createClusters, createKubernetesDriver } from './adapters/kubernetes/index.ts';
import { createLocalDriver } from './adapters/local/index.ts';
import { createSampleCluster } from './adapters/sample-cluster/index.ts';
import { openBlobs } from './blobs.ts';
import { startChores } from './chores.ts';
import type { Config } from './config.ts';
import { socketFolder, workerSocketFolder } from './control.ts';
import { closed, endServers } from './end-servers.ts';
import { accessRoutes, createAccess, oauthRoutes } from './features/access/index.ts';
import { activityRoutes, createActivity } from './features/activity/index.ts';
import { createCredentials, credentialsRoutes, searchCredentials } from './features/credentials/index.ts';
import {
  activityMessages,
  createHolds,
  createJobs,
  createJobsReconciler,
  createJobsStore,
  createJobWorker,
  createRetention,
  createRetentionStore,
  createUploads,
  environmentBinding,
  type JobDriver,
  jobBytesRoutes,
  jobsRoutes,
  PATIENCE,
  type Patience,
  searchJobs,
  sweepUnits,
  tellRefused,
  type WorkerAccess,
  workerRoutes,
  workerTokens,
} from './features/jobs/index.ts';
import {
  createClusterLive,
  createKubernetes,
  kubernetesBytesRoutes,
  kubernetesRoutes,
  searchPods,
} from './features/kubernetes/index.ts';
import { createProfiles, profilesRoutes, searchProfiles } from './features/profiles/index.ts';
import { searchRoute } from './features/search/index.ts';
import { freePort, hostInUrl, listen, listenForWorkers } from './listen.ts';
import { ownFolder } from './own-folder.ts';
import { type Database, openDatabase, settingsStore, whileNoBackup } from './platform/database/index.ts';
import { createApp } from './platform/http/app.ts';
import { createMetrics, healthRoutes } from './platform/http/health.ts';
import { LIVE_CHANNEL, openLive } from './platform/http/live.ts';
import { pageRoutes } from './platform/http/pages.ts';
import { api } from './platform/http/routes.ts';
import { createCallerWatch, RIGHTS_CHANNEL } from './platform/http/still-allowed.ts';
import { answerLogRequest, createLogs } from './platform/logs/index.ts';
import { orAborted } from './platform/process/index.ts';
import { newId, openSecrets, settingBinding } from './platform/secrets/index.ts';
import { WORKER_TOKEN_KEY } from './sealed.ts';

/** How long what is in hand may take to end when nobody says otherwise. */
export const STOP_MS = 10_000;

export interface Places {
  /** The bundled worker, one file. */
  readonly workerFile: string;
  readonly nodeFile: string;
  readonly webDir: string | null;
  /** The job template for Kubernetes that comes with Hangar. */
  readonly jobTemplateFile: string;
}

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
  readonly places: Places;
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
  const { config, places, log } = o;
  const port = config.port === 0 ? await freePort(config.host) : config.port;
  const address = {
    url: config.publicUrl ?? `http://${hostInUrl(config.host)}:${port}`,
    /** For workers on this machine. */
    loopback: `http://${hostInUrl(['0.0.0.0', '::'].includes(config.host) ? '127.0.0.1' : config.host)}:${port}`,
  };
  const settings = settingsStore(database.db);
  const secrets = await openSecrets({ keyFile: config.masterKeyFile, generate: true, settings });
  const instanceId = String(await settings.getOrSet('instance', newId('i')));
  const blobs = await openBlobs(config.blobs, log.child({ part: 'blobs' }), config.proxies);
  const logs = createLogs({ database, blobs, log: log.child({ part: 'logs' }) });
  const tokens = workerTokens(await workerTokenKey(settings, secrets));
  const metrics = createMetrics();

  const activity = createActivity({ database, newId: () => newId('a'), channel: LIVE_CHANNEL });
  const store = createJobsStore(database, {
    patience: o.patience ?? PATIENCE,
    onMove: (tx, rows) =>
      activity.publish(
        tx,
        rows.flatMap((row) =>
          activityMessages(row).map((message) => ({
            activityId: row.activityId ?? row.id,
            message,
            at: row.stateSince,
            actor: { id: row.userId, name: row.userName },
            correlationId: row.id,
          })),
        ),
      ),
  });
  const access = createAccess({
    database,
    secrets,
    publicUrl: address.url,
    alone: config.databaseUrl === undefined,
    log: log.child({ part: 'access' }),
  });
  const credentials = createCredentials({ database, secrets });

  const worker: WorkerAccess = {
    httpUrl: config.workerUrl ?? config.publicUrl ?? address.loopback,
    socketDir: config.workerUrl === undefined ? workerSocketFolder(config.dataDir) : null,
    workerFile: places.workerFile,
    nodeFile: places.nodeFile,
    instanceId,
  };
  const clusters = createClusters(config.kubernetes);
  const kubernetes = createKubernetesDriver({
    ...{ access: worker, clusters, workerImage: config.kubernetes.workerImage },
    jobTemplateFile: config.kubernetes.jobTemplate ?? places.jobTemplateFile,
    log: log.child({ part: 'kubernetes' }),
  });
  const known: JobDriver[] = [
    createLocalDriver({
      access: { ...worker, httpUrl: config.workerUrl ?? address.loopback },
      dataDir: config.dataDir,
      network: { ...config.proxies, NODE_EXTRA_CA_CERTS: config.extraAuthorities },
      log: log.child({ part: 'local' }),
      hide: [dirname(config.masterKeyFile)],
      ...(config.path === undefined ? {} : { path: config.path }),
    }),
    createDockerDriver({ access: worker, log: log.child({ part: 'docker' }), env: config.proxies }),
    kubernetes,
  ];
  const drivers = known.filter(({ name }) => config.drivers.includes(name));
  const profiles = createProfiles({
    database,
    drivers,
    runningOn: (name) => store.runningOn(name),
    unfinishedOn: (name) => store.unfinishedOn(name),
    revisionsInUse: () => store.revisionsInUse(),
  });
  const { standingOf } = access.plans;
  const jobsAtOnce = async (userIds: readonly string[]) =>
    new Map([...(await standingOf(userIds))].map(([userId, { plan }]) => [userId, plan.jobsAtOnce]));
  const holds = createHolds({ standingOf, uses: (userIds) => store.uses(userIds) });
  const jobs = createJobs({
    store,
    newId: () => newId('j'),
    newActivityId: () => newId('a'),
    planOf: access.planOf,
    profile: (name) => profiles.find(name),
    hasCredential: (userId, name) => credentials.has(userId, name),
    seal: (jobId, plain) => secrets.seal(plain, environmentBinding(jobId)),
    open: (jobId, sealed) => secrets.open(sealed, environmentBinding(jobId)).reveal(),
    lastLines: async (jobId, count) => (await logs.read(jobId, { tail: count, limit: count })).lines,
    logLines: async (ids) => new Map([...(await logs.stats(ids))].map(([id, stats]) => [id, stats.lines])),
    jobsAtOnce,
    holds,
    placesOf: async () => ({ profiles: await profiles.jobsAtOnce(), total: config.jobsAtOnce }),
    allowLocalRepos: config.allowLocalRepos,
  });
  const live = await openLive({
    database,
    log: log.child({ part: 'live' }),
    load: {
      activity: (id) => activity.byId(id),
      job: async (id) => {
        const row = await store.byId(id);
        return row ? ((await jobs.viewRows([row]))[0] ?? null) : null;
      },
    },
  });
  const jobWorker = createJobWorker({
    store,
    // Bytes that were replaced stay while a backup is made; the sweep removes them later.
    blobs: { ...blobs, remove: async (key) => void (await whileNoBackup(database, () => blobs.remove(key))) },
    planOf: access.planOf,
    credential: async (userId, name) => {
      const { value, ...rest } = await credentials.open(userId, name);
      return { ...rest, value: value.reveal() };
    },
    open: (jobId, sealed) => secrets.open(sealed, environmentBinding(jobId)).reveal(),
    appendLog: (jobId, attempt, batch, maxBytes) => logs.append(jobId, String(attempt), batch, { maxBytes }),
    storedSeq: (jobId, attempt) => logs.storedSeq(jobId, String(attempt)),
    untilPoked: (jobId, signal) => live.untilChanged(jobId, signal),
    allowLocalRepos: config.allowLocalRepos,
    heartbeatSeconds: config.heartbeatSeconds,
    checkpointSeconds: config.checkpointSeconds,
  });
  const retention = createRetention({
    store: createRetentionStore(database),
    blobs,
    planOf: access.planOf,
    logBytes: async (ids) => new Map([...(await logs.stats(ids))].map(([id, stats]) => [id, stats.bytes])),
    removeLog: (jobId) => logs.remove(jobId),
    whileNoBackup: (work) => whileNoBackup(database, work),
    log: log.child({ part: 'retention' }),
  });
  const uploads = createUploads({ store, blobs, newId: () => newId('up') });
  const reconciler = createJobsReconciler({
    database,
    store,
    log: log.child({ part: 'jobs' }),
    revisionOf: (profile) => profiles.revisionOf(profile),
    launcherOf: (profile, revision) => profiles.reach(profile, revision),
    workerToken: tokens.issue,
    jobsAtOnceOfUsers: jobsAtOnce,
    holds,
    jobsAtOnceOfProfiles: () => profiles.jobsAtOnce(),
    jobsAtOnce: config.jobsAtOnce,
    say: (jobId, key, text) => logs.appendSystem(jobId, text, { key }),
    endLog: (jobId, state) => logs.end(jobId, { state }),
  });

  const clusterView = createKubernetes({
    reach: config.demo
      ? createSampleCluster()
      : createClusterReach({ clusters, instanceId, log: log.child({ part: 'cluster view' }) }),
    jobOf: async (id) => {
      const job = await store.byId(id);
      return job ? { id: job.id, title: job.title } : null;
    },
    namespacesOfJobs: async () =>
      (await profiles.list()).items.flatMap(({ driver, settings: { namespace } }) =>
        driver === 'kubernetes' && typeof namespace === 'string' ? [namespace] : [],
      ),
  });
  const clusterLive = createClusterLive({ kubernetes: clusterView, log: log.child({ part: 'cluster view' }) });

  const router = {
    system: {
      info: api.system.info.handler(async () => ({
        name: 'hangar' as const,
        version: VERSION,
        url: address.url,
        needsFirstSignIn: await access.people.nobodyCameYet(),
      })),
      search: searchRoute([
        searchJobs(jobs),
        searchProfiles(profiles),
        searchPods(clusterView),
        searchCredentials(credentials),
      ]),
    },
    access: accessRoutes(access, { useOf: (userId) => jobs.useOf(userId) }),
    profiles: profilesRoutes(profiles),
    credentials: credentialsRoutes(credentials),
    jobs: jobsRoutes(jobs),
    activity: activityRoutes(activity),
    kubernetes: kubernetesRoutes(clusterView),
  };
  const callers = createCallerWatch({ identify: access.identify, log: log.child({ part: 'access' }) });
  await database.listen(
    RIGHTS_CHANNEL,
    (userId) => callers.look(userId),
    () => callers.look(),
  );
  let draining = false;
  const isDraining = () => draining;
  const app = await createApp({
    router,
    rawRoutes: [
      healthRoutes({ database, metrics, identify: access.identify, isDraining, behindProxy: config.behindProxy }),
      oauthRoutes(access),
      live.routes,
      jobBytesRoutes({
        jobs,
        uploads,
        blobs,
        answerLog: (logId, query, request, reply) => answerLogRequest(logs, logId, query, request, reply),
      }),
      workerRoutes(jobWorker, tokens),
      kubernetesBytesRoutes({ kubernetes: clusterView, live: clusterLive }),
      pageRoutes({ publicUrl: address.url, cookieName: access.sessions.cookieName, webDir: places.webDir }),
    ],
    identify: access.identify,
    callers,
    refuseForeignOrigin: access.refuseForeignOrigin,
    log,
    isDraining,
    trustProxy: config.trustProxy,
    secure: address.url.startsWith('https:'),
    webDir: places.webDir,
  });
  metrics.watch(app);

  const here = Math.max(2, availableParallelism());
  const { jobsNamespace } = config.kubernetes;
  await profiles.ensureFirst({
    jobsAtOnce: { local: here, docker: here },
    settings: {
      docker: config.dockerNetwork === undefined ? {} : { network: config.dockerNetwork },
      kubernetes: jobsNamespace === undefined ? {} : { namespace: jobsNamespace },
    },
  });
  const firstLink = await access.ensureFirstAdmin();
  await listen(app, { host: config.host, port });
  const workerSocket = worker.socketDir === null ? null : await listenForWorkers(app, worker.socketDir);
  await reconciler.start();
  profiles
    .all()
    .then((all) => tellRefused(all, log.child({ part: 'profiles' })))
    .catch((error: unknown) => log.warn({ err: error }, 'the profiles cannot be looked at'));
  const chores = startChores({
    log: log.child({ part: 'chores' }),
    chores: [
      {
        name: 'move ended logs to the blob store',
        everyMs: 20_000,
        run: (signal) => logs.compactEnded(signal),
      },
      {
        name: 'remove what has expired',
        everyMs: 10 * 60_000,
        run: async (signal) => {
          await whileNoBackup(database, () => uploads.sweep(signal));
          await access.sweep(signal);
        },
      },
      {
        name: 'remove what plans do not keep any longer',
        everyMs: 10 * 60_000,
        run: async (signal) => void (await retention.run(signal)),
      },
      {
        name: 'remove activity that is over for long',
        everyMs: 3600_000,
        run: (signal) => activity.tidy(config.activityDays, signal),
      },
      {
        name: 'remove files nobody refers to',
        everyMs: 6 * 3600_000,
        run: async (signal) => void (await retention.sweep(signal)),
      },
      {
        name: 'remove units nobody owns',
        everyMs: 5 * 60_000,
        run: async (signal) => sweepUnits(await profiles.everReached(), store, { log, signal }),
      },
    ],
  });

  return {
    url: address.url,
    app,
    database,
    firstSignInLink: firstLink?.url ?? null,
    adminKey: async () => ({ key: await access.adminKey() }),
    signInLink: async () => ({ url: (await access.firstAdminLink()).url }),
    async close(signal = AbortSignal.timeout(config.drainSeconds * 1000 + STOP_MS)) {
      // Whatever is stuck, the next part is closed when the time is over.
      const part = (name: string, work: PromiseLike<unknown>) =>
        orAborted(Promise.resolve(work), signal).catch((error: unknown) =>
          log.warn({ err: error, part: name }, 'a part of the server did not end in time'),
        );
      // What this server has in hand goes to others at once; requests only when a balancer has seen that it stops.
      draining = true;
      const drained = sleep(config.drainSeconds * 1000);
      await part('background work', Promise.all([chores.stop(signal), reconciler.stop(signal), drained]));
      await part('live streams', live.close());
      clusterLive.close();
      clusterView.close();
      await part('logs', logs.close());
      const servers = [app.server, ...(workerSocket ? [workerSocket] : [])];
      const closing = () => Promise.all([app.close(), workerSocket && closed(workerSocket)]);
      await part('requests', endServers(servers, closing, signal));
      await part('clusters', kubernetes[Symbol.asyncDispose]());
      clusters.close();
      await database.close();
    },
  };
}

async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await ownFolder(socketFolder(dataDir), 0o700);
  } catch (cause) {
    if (cause instanceof HangarError) throw cause;
    throw new HangarError('data_dir_unusable', {
      message: `The data directory ${dataDir} cannot be made: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    });
  }
}

async function workerTokenKey(
  settings: ReturnType<typeof settingsStore>,
  secrets: Awaited<ReturnType<typeof openSecrets>>,
): Promise<Uint8Array> {
  const binding = settingBinding(WORKER_TOKEN_KEY);
  const sealed = String(
    await settings.getOrSet(WORKER_TOKEN_KEY, secrets.seal(randomBytes(32).toString('base64'), binding)),
  );
  return Buffer.from(secrets.open(sealed, binding).reveal(), 'base64');
}
