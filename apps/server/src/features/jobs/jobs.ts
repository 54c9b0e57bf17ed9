import { createHash } from 'node:crypto';
import {
  AGENTS,
  agentPreset,
  checkEnv,
  HangarError,
  isFinal,
  isLocalHost,
  JOB_PHASES,
  type Job,
  type JobDetail,
  type JobState,
  type NewJob,
  type Plan,
  parseSpec,
  repoHost,
  shellBlocks,
  type Use,
} from '@hangar/contract';
import { JOB_WORDS } from '@hangar/contract/words/job';
import { lookup } from '../../platform/database/together.ts';
import { readCursor, writeCursor } from '../../platform/http/cursor.ts';
import { profileName, profileOwner } from '../../platform/places/profile-key.ts';
import { newId } from '../../platform/secrets/index.ts';
import type { CredentialsOfJobs, Environment, ProfilesOfJobs, SandboxesOfJobs } from './needs.ts';
import { placeOf } from './place-of-job.ts';
import { durationKey, type JobsUse, pairOf } from './store/job-figures.ts';
import type { JobsStore } from './store/jobs-store.ts';
import type { JobRow } from './store/jobs-tables.ts';
import { type ViewParts, viewArtifact, viewJob, viewJobs, viewWaiting } from './view/job-view.ts';

export interface Caller {
  readonly userId: string;
  readonly userName: string;
  /** What is everybody's and not only theirs. */
  readonly everybody: boolean;
}

export interface JobsParts extends ViewParts {
  readonly store: JobsStore;
  readonly profiles: Pick<ProfilesOfJobs, 'find' | 'byKey' | 'keyOf'>;
  readonly sandboxes: Pick<SandboxesOfJobs, 'find'>;
  readonly credentials: Pick<CredentialsOfJobs, 'has'>;
  readonly environment: Environment;
  /** Whether jobs may be cloned from the worker's own machine; see HANGAR_ALLOW_LOCAL_REPOS. */
  readonly allowLocalRepos: boolean;
}

const DEFAULT_TIMEOUT_SECONDS = 3600;
/** Those that hold a place. */
const WORKING_STATES = JOB_PHASES.filter((phase) => phase !== 'queued');

/** The use cases of jobs. A request only writes what is wanted; the reconciler does the rest. */
export function createJobs(parts: JobsParts) {
  const { store } = parts;
  const owned = (caller: Caller) => store.of(caller.userId, caller.everybody);
  const durationOf = lookup((keys) => store.durations(keys.map(pairOf)));
  const view = (row: JobRow): Promise<JobDetail> => viewJob(parts, row);
  const used = lookup((userIds) => store.uses(userIds));
  async function usedBy(userId: string): Promise<JobsUse> {
    const use = await used(userId);
    if (!use) throw new Error('nothing is known of what a person uses');
    return use;
  }

  /** A key that was used gives its job, though what the job was allowed with then may be used up or gone now. */
  async function submit(caller: Caller, request: NewJob, retryOf: string | null): Promise<Job> {
    try {
      return await take(caller, request, retryOf);
    } catch (error) {
      if (request.idempotencyKey === undefined) throw error;
      const earlier = await store.of(caller.userId).byKey(request.idempotencyKey);
      if (earlier === null) throw error;
      const { patch } = request.repo;
      const upload = patch === undefined ? null : await store.upload(patch, caller.userId);
      if (earlier.requestHash !== hashOf(request, upload?.sha256 ?? null)) throw error;
      return first(await viewJobs(parts, [earlier]));
    }
  }

  async function take(caller: Caller, request: NewJob, retryOf: string | null): Promise<Job> {
    const spec = parseSpec(request.spec);
    const agent = agentOf(request.agent ?? spec.settings.agent ?? 'shell');
    if (agent === 'shell' && shellBlocks(spec.body).length === 0) throw new HangarError('spec_no_commands');
    const [plan, where] = await Promise.all([
      parts.people.planOf(caller.userId),
      placeOf(parts, caller.userId, request, spec.settings, retryOf !== null),
    ]);
    if (request.credential !== undefined && !(await parts.credentials.has(caller.userId, request.credential)))
      throw new HangarError('credential_not_found', { message: `There is no credential ${request.credential}.` });
    const patch = await uploadsAreThere(caller.userId, request);
    const timeoutSeconds =
      request.timeoutSeconds ?? spec.settings.timeout ?? Math.min(DEFAULT_TIMEOUT_SECONDS, plan.maxTimeoutSeconds);
    if (timeoutSeconds > plan.maxTimeoutSeconds) {
      throw new HangarError('timeout_too_long', {
        message: `The timeout of ${timeoutSeconds} s is longer than the ${plan.maxTimeoutSeconds} s of your plan.`,
        details: { limitSeconds: plan.maxTimeoutSeconds },
      });
    }
    if (plan.minutesPerMonth !== null) minutesAreLeft(plan, await usedBy(caller.userId));
    const id = newId('j');
    const env = { ...spec.settings.env, ...request.env };
    // What was taken once is taken again.
    if (retryOf === null) checkEnv(env);
    const url = request.repo.url === undefined ? null : withoutUserInfo(request.repo.url);
    if (url !== null) mayBeCloned(url, parts.allowLocalRepos);
    const accepted = store.accept({
      row: {
        id,
        userId: caller.userId,
        userName: caller.userName,
        title: request.title ?? spec.title,
        agent,
        profile: where.profile,
        driver: where.driver,
        sandboxId: request.sandbox ?? null,
        repoName: request.repo.name ?? (url === null ? 'checkout' : repoName(url)),
        repoUrl: url,
        repoRef: request.repo.ref ?? null,
        repoCommit: request.repo.commit ?? null,
        repoRoot: request.repo.root ?? null,
        bundleId: request.repo.bundle ?? null,
        patchId: request.repo.patch ?? null,
        credential: request.credential ?? null,
        image: where.image,
        resources: where.resources,
        timeoutSeconds,
        idempotencyKey: request.idempotencyKey ?? null,
        requestHash: hashOf(request, patch),
        retryOf,
        group: request.group ?? null,
        reason: 'Waiting for a free place',
        activityId: newId('a'),
      },
      order: {
        spec: request.spec,
        envSealed: Object.keys(env).length > 0 ? parts.environment.seal(id, JSON.stringify(env)) : null,
        envNames: Object.keys(env).sort(),
      },
      waitingLimit: plan.jobsWaiting,
    });
    const { row, place } = await accepted.catch(async (error: unknown) => {
      throw error instanceof HangarError && error.code === 'quota_jobs' ? await untilPlace(caller, error) : error;
    });
    if (place === null) return first(await viewJobs(parts, [row]));
    const key = durationKey(row.repoName, row.agent);
    return viewWaiting(row, { ...place, limit: plan.jobsAtOnce }, await durationOf(key));
  }

  /** The same refusal with when the next of the own jobs is expected to end: that lets a waiting one start. */
  async function untilPlace(caller: Caller, refused: HangarError): Promise<HangarError> {
    const rows = await store.of(caller.userId).list({ states: WORKING_STATES, limit: 50 });
    const ends = (await viewJobs(parts, rows)).flatMap(({ eta }) => (eta === null ? [] : [Date.parse(eta.latestAt)]));
    const freeAt = ends.length === 0 ? null : Math.min(...ends);
    const when =
      freeAt === null
        ? 'A place is free when one of them has started, and nobody can say when that is.'
        : `A place is expected to be free within ${Math.max(1, Math.ceil((freeAt - Date.now()) / 60_000))} min.`;
    return new HangarError('quota_jobs', {
      message: `${refused.message} ${when}`,
      details: {
        ...refused.details,
        running: rows.length,
        freeAt: freeAt === null ? null : new Date(freeAt).toISOString(),
      },
    });
  }

  /** Answers the hash of the patch. @throws HangarError upload_not_found */
  async function uploadsAreThere(userId: string, { repo: { bundle, patch } }: NewJob): Promise<string | null> {
    const [first, second] = await Promise.all([bundle, patch].map(async (id) => id && store.upload(id, userId)));
    if (first === null || second === null) throw new HangarError('upload_not_found');
    return second ? second.sha256 : null;
  }

  return {
    submit: (caller: Caller, request: NewJob) => submit(caller, request, null),

    async list(
      caller: Caller,
      query: {
        states?: JobState[];
        search?: string;
        agent?: string;
        profile?: string;
        repo?: string;
        group?: string;
        limit: number;
        cursor?: string;
      },
    ): Promise<{ items: Job[]; nextCursor: string | null }> {
      const { cursor, limit, profile: named, ...rest } = query;
      const filter =
        named === undefined ? rest : { ...rest, profile: await parts.profiles.keyOf(named, caller.userId) };
      const before = cursor === undefined ? undefined : readCursor(cursor);
      const rows = await owned(caller).list({ ...filter, ...(before ? { before } : {}), limit: limit + 1 });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return { items: await viewJobs(parts, page), nextCursor: rows.length > limit && last ? writeCursor(last) : null };
    },

    get: async (caller: Caller, id: string): Promise<JobDetail> => view(await owned(caller).get(id)),
    /** Checks that the caller may read the log. @throws HangarError job_not_found, log_removed */
    async mayReadLog(caller: Caller, id: string): Promise<void> {
      const { logRemovedAt } = await owned(caller).get(id);
      if (logRemovedAt !== null)
        throw new HangarError('log_removed', {
          message: `The log was removed on ${day(logRemovedAt)}: its time was over.`,
        });
    },

    async cancel(caller: Caller, id: string): Promise<Job> {
      const row = await owned(caller).get(id);
      // Asked again, as after an answer that got lost: it is as was wished.
      if (row.state === 'cancelled' && row.cancelRequestedAt !== null) return first(await viewJobs(parts, [row]));
      if (isFinal(row.state))
        throw new HangarError('job_ended', { message: `The job has already ended: ${JOB_WORDS[row.state].word}.` });
      const advanced = await store.advance(id, (current, now) => ({
        cancelRequestedAt: current.cancelRequestedAt ?? now,
      }));
      return first(await viewJobs(parts, [advanced.row]));
    },

    async retry(caller: Caller, id: string, idempotencyKey?: string): Promise<Job> {
      const row = await owned(caller).get(id);
      if (!isFinal(row.state)) throw new HangarError('job_not_ended');
      // A personal profile is used by its owner alone.
      if (caller.userId !== row.userId && profileOwner(row.profile) !== null)
        throw new HangarError('profile_not_found', {
          message: `The job ran on a personal profile, ${profileName(row.profile)}.`,
          wayOut: 'Only the person whose job it is can run it again.',
        });
      if (caller.userId !== row.userId && row.sandboxId !== null)
        throw new HangarError('sandbox_not_found', {
          message: `The job worked in ${row.sandboxId}, the sandbox of another person.`,
          wayOut: 'Only the person whose job it is can run it again.',
        });
      const { spec, envSealed } = await store.orderOf(row.id);
      const env =
        envSealed === null ? {} : (JSON.parse(parts.environment.open(row.id, envSealed)) as Record<string, string>);
      const request: NewJob = {
        spec,
        title: row.title,
        agent: row.agent,
        profile: row.profile,
        ...(row.sandboxId === null ? {} : { sandbox: row.sandboxId }),
        repo: {
          name: row.repoName,
          ...(row.repoUrl === null ? {} : { url: row.repoUrl }),
          ...(row.repoRef === null ? {} : { ref: row.repoRef }),
          ...(row.repoCommit === null ? {} : { commit: row.repoCommit }),
          ...(row.repoRoot === null ? {} : { root: row.repoRoot }),
          ...(row.bundleId === null ? {} : { bundle: row.bundleId }),
          ...(row.patchId === null ? {} : { patch: row.patchId }),
        },
        env,
        resources: row.resources,
        timeoutSeconds: row.timeoutSeconds,
        ...(row.credential === null ? {} : { credential: row.credential }),
        ...(row.image === null ? {} : { image: row.image }),
        ...(row.group === null ? {} : { group: row.group }),
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      };
      return submit({ ...caller, userId: row.userId, userName: row.userName }, request, row.id);
    },

    async artifacts(caller: Caller, id: string) {
      await owned(caller).get(id);
      return { items: (await owned(caller).artifacts(id)).map(viewArtifact) };
    },
    async artifact(caller: Caller, id: string, name: string) {
      const { artifactsRemovedAt } = await owned(caller).get(id);
      const row = await store.artifact(id, name);
      if (!row && artifactsRemovedAt !== null)
        throw new HangarError('artifact_removed', {
          message: `What the job left was removed on ${day(artifactsRemovedAt)}: its time was over.`,
        });
      if (!row) throw new HangarError(name === 'diff' ? 'diff_not_found' : 'artifact_not_found');
      return row;
    },

    async useOf(userId: string): Promise<Omit<Use, 'sandboxesOpen'>> {
      const use = await usedBy(userId);
      return {
        jobsRunning: use.running,
        jobsWaiting: use.waiting,
        minutesThisMonth: Math.round(use.minutes * 10) / 10,
        periodEndsAt: use.periodEndsAt.toISOString(),
      };
    },

    agents() {
      return {
        items: AGENTS.map((agent) => ({
          name: agent.name,
          title: agent.title,
          command: agent.argv.join(' '),
          needsEnv: agent.needsEnv.map((names) => [...names]),
          install: agent.install,
          homepage: agent.homepage,
        })),
      };
    },

    viewRows: (rows: readonly JobRow[]) => viewJobs(parts, rows),
  };
}
export type Jobs = ReturnType<typeof createJobs>;

/** A preset by its name, or a command: something with a space or a slash in it. A single unknown word is most likely a typo. */
function agentOf(agent: string): string {
  if (agentPreset(agent) || /[\s/]/.test(agent.trim())) return agent.trim();
  throw new HangarError('agent_unknown', {
    message: `There is no agent ${agent}. There are ${AGENTS.map((preset) => preset.name).join(', ')}.`,
  });
}

function minutesAreLeft(plan: Plan, use: { minutes: number; periodEndsAt: Date }): void {
  if (plan.minutesPerMonth === null || use.minutes < plan.minutesPerMonth) return;
  throw new HangarError('quota_minutes', {
    message: `${Math.floor(use.minutes)} of ${plan.minutesPerMonth} minutes of this month are used; the next month begins ${use.periodEndsAt.toISOString().slice(0, 10)}.`,
    details: { usedMinutes: use.minutes, limitMinutes: plan.minutesPerMonth, freeAt: use.periodEndsAt.toISOString() },
  });
}

/** A user or password in a URL is a secret in the wrong place: it is neither stored nor used. */
function withoutUserInfo(url: string): string {
  if (!/^(https?|ssh):\/\//i.test(url)) return url;
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new HangarError('repo_url_invalid');
  }
  if (parsed.password !== '')
    throw new HangarError('repo_url_invalid', {
      message: 'The repository URL has a password in it.',
      wayOut: 'Keep it as a credential: hangar cloud credentials add NAME, then --credential NAME.',
    });
  if (parsed.protocol !== 'ssh:') parsed.username = '';
  return parsed.toString();
}

/** What can be told from the URL alone; the worker looks again at the addresses its host has. */
function mayBeCloned(url: string, allowLocal: boolean): void {
  const host = repoHost(url);
  if (host === null) throw new HangarError('repo_url_invalid');
  if (!allowLocal && isLocalHost(host))
    throw new HangarError('repo_url_refused', {
      message: `Jobs are not cloned from ${host}: it is the machine of the worker itself or its network link.`,
    });
}

function repoName(url: string): string {
  const path = url
    .replace(/\.git\/?$/, '')
    .replace(/\/+$/, '')
    .split(/[/:]/)
    .filter(Boolean);
  return path.slice(-2).join('/').slice(0, 200) || 'repository';
}

const day = (at: Date): string => at.toISOString().slice(0, 10);

/**
 * The same request gives the same hash; the key itself does not count. A checkout that is packed again has other uploads with
 * the same contents: the commit says what the bundle holds, the hash what the patch does. How much of the history is in the
 * bundle and how much comes from the URL may differ, too.
 */
function hashOf({ idempotencyKey: _key, repo, ...rest }: NewJob, patchHash: string | null): string {
  const { bundle, patch: _id, root: _root, url, ...source } = repo;
  const from = bundle === undefined ? { url } : {};
  const request = { ...rest, repo: { ...source, ...from, bundle: bundle !== undefined, patch: patchHash } };
  return createHash('sha256')
    .update(
      JSON.stringify(request, (_name, value: unknown) =>
        isRecord(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value,
      ),
    )
    .digest('hex');
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function first<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new Error('nothing to show');
  return item;
}
