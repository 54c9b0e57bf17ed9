import { randomBytes } from 'node:crypto';
import { HangarError } from '@hangar/contract';
import { jobWords } from '@hangar/contract/words/job';
import type { UnitKey, UnitState } from '@hangar/sandbox';
import type { Capability, Foundation, SearchSource } from '../../platform/capability.ts';
import { answerLogRequest } from '../../platform/logs/index.ts';
import { createAdmission } from '../../platform/places/admission.ts';
import { sealedValue } from '../../platform/secrets/index.ts';
import { createJobs, type Jobs } from './jobs.ts';
import { jobBytesRoutes, jobsRoutes } from './jobs-routes.ts';
import { tellRefused } from './launch/backends.ts';
import { createJobsReconciler } from './launch/jobs-reconciler.ts';
import { PATIENCE, type Patience } from './lifecycle/job-facts.ts';
import { unitSeen } from './lifecycle/job-moves.ts';
import { JOB } from './lifecycle/job-noun.ts';
import { createJobLimits } from './limits/job-limits.ts';
import type { CredentialsOfJobs, PeopleOfJobs, ProfilesOfJobs, SandboxesOfJobs } from './needs.ts';
import { environmentOf } from './sealed-environment.ts';
import { createJobKeeper, jobBlobs } from './store/job-keeper.ts';
import { createJobsStore } from './store/jobs-store.ts';
import { createUploads } from './uploads.ts';
import { createJobOrigins, type JobOrigins } from './view/job-origin.ts';
import { createJobWorker } from './worker/job-worker.ts';
import { workerRoutes } from './worker/worker-routes.ts';
import { WORKER_TOKEN_KEY, workerTokens } from './worker/worker-token.ts';

export interface JobsSettings {
  readonly patience?: Patience | undefined;
  readonly allowLocalRepos: boolean;
  readonly jobsAtOnce: number;
  readonly heartbeatSeconds: number;
  readonly checkpointSeconds: number;
}

export interface JobsFeature extends Capability {
  /** What ended jobs began with and left. */
  readonly origins: JobOrigins;
  readonly useOf: Jobs['useOf'];
  /** The worker of an attempt that runs in a sandbox has ended, as its backend says it: nobody waits until it is missed. */
  workerEnded(key: UnitKey, state: UnitState): Promise<void>;
  jobOf(id: string): Promise<{ id: string; title: string } | null>;
}

/** Jobs: a repository and a spec go to an agent elsewhere, a diff comes back. */
export async function jobsFeature(
  f: Foundation,
  needs: {
    readonly people: PeopleOfJobs;
    readonly profiles: ProfilesOfJobs;
    readonly sandboxes: SandboxesOfJobs;
    readonly credentials: CredentialsOfJobs;
  },
  settings: JobsSettings,
): Promise<JobsFeature> {
  const { database, logs, live, places, blobs, whileNoBackup } = f;
  const { profiles } = needs;
  const log = f.log.child({ part: 'jobs' });
  const environment = environmentOf(f.secrets);
  const tokens = workerTokens(Buffer.from(await sealedValue(f, WORKER_TOKEN_KEY, newTokenKey), 'base64'));
  const store = createJobsStore(database, { patience: settings.patience ?? PATIENCE, publish: f.publish });
  const limits = createJobLimits({ ...needs, store, total: settings.jobsAtOnce });
  const jobs = createJobs({ ...needs, ...settings, store, environment, logs, places, limits });
  const worker = createJobWorker({
    ...{ ...needs, ...settings, store, environment, logs, live },
    // Bytes that were replaced stay while a backup is made; the sweep removes them later.
    blobs: { ...blobs, remove: async (key) => void (await whileNoBackup(() => blobs.remove(key))) },
  });
  const uploads = createUploads({ store, blobs });
  const reconciler = createJobsReconciler({
    ...{ database, store, profiles, logs, log },
    ...{ sandboxes: needs.sandboxes, workerToken: tokens.issue },
  });
  const admission = createAdmission({
    ...{ database, log, table: store.reconciled.noun.table },
    ...{ limitsOf: limits.of, total: settings.jobsAtOnce },
  });

  return {
    useOf: jobs.useOf,
    origins: createJobOrigins({ ...needs, ...settings, store, blobs, environment }),
    async workerEnded({ id, attempt }, state) {
      await store
        .advance(id, (before, now) => (before.attempt === attempt ? { unit: unitSeen(state, before, now) } : {}))
        .catch((error: unknown) => {
          if (!(error instanceof HangarError) || error.code !== 'job_not_found') throw error;
        });
    },
    async jobOf(id) {
      const job = await store.byId(id);
      return job ? { id: job.id, title: job.title } : null;
    },
    router: { jobs: jobsRoutes(jobs) },
    raw: [
      jobBytesRoutes({ jobs, uploads, blobs, answerLog: (...log) => answerLogRequest(logs, ...log) }),
      workerRoutes(worker),
    ],
    live: {
      async [JOB](id) {
        const row = await store.byId(id);
        return row ? ((await jobs.viewRows([row]))[0] ?? null) : null;
      },
    },
    identify: tokens,
    search: searchJobs(jobs),
    ownsUnit: store.ownsUnit,
    keepers: [createJobKeeper({ database, blobs, logs })],
    blobs: jobBlobs(database),
    chores: [
      {
        name: 'remove uploads that have expired',
        everyMs: 10 * 60_000,
        run: async (signal) => void (await whileNoBackup(() => uploads.sweep(signal))),
      },
    ],
    async start() {
      await reconciler.start();
      await admission.start();
      void tellRefused(() => profiles.all(), log);
    },
    stop: async (signal) => void (await Promise.all([admission.stop(), reconciler.stop(signal)])),
  };
}

const newTokenKey = () => randomBytes(32).toString('base64');

/** One's own jobs; those of all for an admin. */
const searchJobs =
  (jobs: Pick<Jobs, 'list'>): SearchSource =>
  async (caller, text) => {
    const { items } = await jobs.list(caller, { search: text, limit: 20 });
    return items.map((job) => ({
      kind: 'job',
      id: job.id,
      title: job.title,
      detail: `${jobWords(job).word}, ${job.repo.name}`,
      link: `/jobs/${job.id}`,
    }));
  };
