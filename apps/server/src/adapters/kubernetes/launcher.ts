import { HangarError, type KubernetesSettings } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Launcher, LaunchRequest, UnitState, WorkerAccess } from '../../features/jobs/launcher.ts';
import { isStatus } from './api.ts';
import type { Clusters, Connection } from './connect.ts';
import { asHangarError, isAdmission, isQuota } from './errors.ts';
import { FILES_DIR, type PodFiles } from './files.ts';
import { type JobTemplate, jobFrom } from './job-template.ts';
import { LABEL, unitLabels, unitName } from './labels.ts';
import type { PodSeen } from './pod.ts';
import type { createPodWatches } from './pods.ts';
import { sweepNamespace } from './sweep.ts';
import { probeOf, testCluster, tryJob } from './test-cluster.ts';
import { evictionOf, tidy, unitState } from './unit-state.ts';

/** A pod that does not get on for this long is asked about in the events. */
const WONDER_MS = 8_000;
/** After this long a pod that should be gone is struck off, running or not: its node does not answer. */
const STRIKE_OFF_MS = 25_000;
const REMOVE_MS = 45_000;
/** How much of a pod's own log is evidence. */
const LAST_LINES = 40;

export interface KubernetesParts {
  readonly clusters: Clusters;
  readonly watches: ReturnType<typeof createPodWatches>;
  readonly files: PodFiles;
  readonly access: WorkerAccess;
  /** The image of HANGAR_WORKER_IMAGE: brings Node, and is the image of jobs that name none. */
  readonly workerImage: string;
  /** Units that this process is in the middle of launching. */
  readonly launching: Map<string, Promise<void>>;
  readonly log: Logger;
}

export interface KubernetesProfile {
  readonly settings: KubernetesSettings;
  readonly template: JobTemplate;
  readonly limits: { cpus?: number | undefined; memoryBytes?: number | undefined };
}

/** The cluster and namespace of a profile, ready to be asked. */
export interface Place {
  readonly connection: Connection;
  readonly namespace: string;
}

export interface Unit {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly image: string;
  readonly token: string;
  readonly program: string;
  readonly resources: LaunchRequest['resources'];
  readonly deadlineSeconds: number;
}

const Made = z.object({ metadata: z.object({ uid: z.string() }) });
const Job = z.object({
  metadata: z.object({
    creationTimestamp: z.string().catch(''),
  }),
  status: z
    .object({
      conditions: z
        .array(
          z.object({
            type: z.string(),
            status: z.string(),
            reason: z.string().catch(''),
            message: z.string().catch(''),
          }),
        )
        .catch([]),
    })
    .catch({ conditions: [] }),
});
const Events = z.object({
  items: z.array(
    z.object({
      type: z.string().catch(''),
      reason: z.string().catch(''),
      message: z.string().catch(''),
      lastTimestamp: z.string().nullish(),
      metadata: z.object({ creationTimestamp: z.string().catch('') }),
    }),
  ),
});
/** FailureTarget and SuccessCriteriaMet: decided, while its pod still ends. */
const OVER = /^(Failed|Complete|FailureTarget|SuccessCriteriaMet)$/;

export function createKubernetesLauncher(parts: KubernetesParts, profile: KubernetesProfile): Launcher {
  const { access } = parts;
  const { settings, template, limits } = profile;

  async function place(): Promise<Place> {
    const connection = await parts.clusters.connect(settings.context);
    return { connection, namespace: settings.namespace ?? connection.namespace };
  }
  const jobsPath = ({ namespace }: Place) => `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const corePath = ({ namespace }: Place, what: string) => `/api/v1/namespaces/${namespace}/${what}`;

  /** With the errors of the table. */
  async function at<T>(doing: string, work: (place: Place) => Promise<T>): Promise<T> {
    const here = await place();
    try {
      return await work(here);
    } catch (error) {
      throw asHangarError(error, { doing, namespace: here.namespace });
    }
  }

  const podsOf = (here: Place) => parts.watches.in(here.connection.api, here.namespace);

  function planOf(unit: Unit, here: Place, files: string) {
    const workerImage = settings.workerImage ?? parts.workerImage;
    return {
      ...{ name: unit.name, namespace: here.namespace, labels: unit.labels },
      ...{ image: unit.image, files, token: unit.name },
      workerImage: unit.image === workerImage ? null : workerImage,
      ...{ pull: settings.pull, serverUrl: serverUrl(settings, access), program: unit.program },
      resources: { ...defined(limits), ...defined(unit.resources) },
      deadlineSeconds: unit.deadlineSeconds,
    };
  }

  /** The Job as it would be made; also for the dry run of a test. */
  async function bodyOf(unit: Unit, here: Place, signal: AbortSignal): Promise<object> {
    const files = await parts.files.ensure(here.connection.api, here.namespace, { signal });
    return jobFrom(template, planOf(unit, here, files));
  }

  /**
   * The Job, then the Secret that belongs to it from its first moment: nothing of a launch that was cut off can be left over,
   * and no Secret need ever be read or listed. The pod waits for it; a launch that is repeated brings it.
   */
  async function make(unit: Unit, here: Place, signal: AbortSignal): Promise<void> {
    const { api } = here.connection;
    const body = await bodyOf(unit, here, signal);
    const query = { fieldValidation: 'Strict' };
    const made = await unless(409, api.json('POST', jobsPath(here), { body, query, signal }));
    const job = made ?? (await api.json('GET', `${jobsPath(here)}/${unit.name}`, { signal }));
    const { uid } = Made.parse(job).metadata;
    const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name: unit.name, uid }];
    const secret = {
      ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', immutable: true },
      stringData: { token: `${unit.token}\n` },
      metadata: {
        ...{ name: unit.name, namespace: here.namespace, ownerReferences },
        labels: { ...LABEL.managed, ...unit.labels },
      },
    };
    const hand = () => unless(409, api.json('POST', corePath(here, 'secrets'), { body: secret, signal }));
    try {
      if ((await hand()) === null && made !== null) {
        // That of a Job of this name that somebody removed: it would go after it.
        await removeSecret(unit.name, here, signal);
        await hand();
      }
    } catch (error) {
      // Without its token it would wait until somebody ends it.
      if (isStatus(error, 400, 403, 404, 422))
        await removeJob(unit.name, here, AbortSignal.timeout(10_000)).catch(() => {});
      throw error;
    }
  }

  const removeJob = (name: string, here: Place, signal: AbortSignal) =>
    unless(
      404,
      here.connection.api.json('DELETE', `${jobsPath(here)}/${name}`, {
        body: { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' },
        signal,
      }),
    );

  const removeSecret = (name: string, here: Place, signal: AbortSignal) =>
    unless(404, here.connection.api.json('DELETE', corePath(here, `secrets/${name}`), { signal }));

  const endPod = (pod: PodSeen, seconds: number, here: Place, signal: AbortSignal) =>
    unless(
      404,
      here.connection.api.json('DELETE', corePath(here, `pods/${pod.name}`), {
        body: { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: seconds, preconditions: { uid: pod.uid } },
        signal,
      }),
    );

  async function removeUnit(name: string, here: Place, signal: AbortSignal): Promise<void> {
    const pods = podsOf(here);
    const own = async () => (await pods.of(name, signal)).filter((pod) => pod.unit === name);
    // First the Job, so that it makes no other pod; then what it made.
    await removeJob(name, here, signal);
    await removeSecret(name, here, signal);
    for (const pod of await own()) await endPod(pod, 1, here, signal);
    // One that the Job made a moment ago may come into sight only now.
    const struck = new Set<string>();
    const begun = performance.now();
    while (!(await pods.until(name, (left) => left.length === 0, { ms: 3_000, signal }))) {
      const waitedMs = performance.now() - begun;
      if (waitedMs > REMOVE_MS) {
        throw new HangarError('driver_unavailable', { message: `The pod of ${name} does not go away.` });
      }
      for (const pod of await own()) {
        if (!pod.isTerminating) await endPod(pod, 1, here, signal);
        else if (waitedMs > STRIKE_OFF_MS && !struck.has(pod.uid)) {
          struck.add(pod.uid);
          await endPod(pod, 0, here, signal);
        }
      }
    }
    pods.forget(name);
  }

  /** What the cluster complained of about an object, the newest last. Empty where this server may not see it. */
  async function complaints(kind: string, name: string, here: Place, signal: AbortSignal) {
    const query = { fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name}`, limit: '50' };
    const answer = await unless(403, here.connection.api.json('GET', corePath(here, 'events'), { query, signal }));
    const parsed = Events.safeParse(answer);
    const bad = (parsed.success ? parsed.data.items : []).filter(({ type }) => type === 'Warning');
    const when = (event: (typeof bad)[number]) => event.lastTimestamp || event.metadata.creationTimestamp;
    return bad.sort((a, b) => when(a).localeCompare(when(b)));
  }
  const warning = async (kind: string, name: string, here: Place, signal: AbortSignal): Promise<string | null> =>
    (await complaints(kind, name, here, signal)).at(-1)?.message ?? null;

  async function ofPod(pod: PodSeen, here: Place, signal: AbortSignal): Promise<UnitState> {
    const waitedMs = Date.now() - pod.createdAt;
    const startMs = settings.startSeconds * 1000;
    const state = unitState(pod, { waitedMs, startMs });
    if (state.kind === 'exited' && state.code === undefined && !state.outOfMemory) {
      // Of a worker that ended well when it was told to stop, the kubelet forgets that it was evicted; its event does not.
      const evicted = (await complaints('Pod', pod.name, here, signal)).find(({ reason }) => reason === 'Evicted');
      return evicted ? { ...state, code: 'worker_evicted', reason: evictionOf(evicted.message) } : state;
    }
    const isStuck = state.kind === 'starting' && pod.node !== '' && !pod.waiting && !pod.isTerminating;
    if (!isStuck || waitedMs < WONDER_MS) return state;
    const said = await warning('Pod', pod.name, here, signal);
    // Somebody tidied the ConfigMap away; the kubelet finds the new one by itself.
    if (said && /hangar-files-/.test(said))
      await parts.files.ensure(here.connection.api, here.namespace, { signal, again: true });
    return unitState(pod, { waitedMs, startMs, warning: said });
  }

  /** The API server is asked for the Job itself: only its own word proves that there is none. */
  async function ofJob(name: string, here: Place, signal: AbortSignal): Promise<UnitState> {
    const answer = await unless(404, here.connection.api.json('GET', `${jobsPath(here)}/${name}`, { signal }));
    if (answer === null) {
      return parts.launching.has(name)
        ? { kind: 'starting', reason: 'Making the Kubernetes job' }
        : { kind: 'missing' };
    }
    const { metadata, status } = Job.parse(answer);
    const over = status.conditions.find(({ type, status: is }) => OVER.test(type) && is === 'True');
    const waitedMs = Date.now() - (Date.parse(metadata.creationTimestamp) || Date.now());
    if (over) {
      const last = podsOf(here).lastOf(name);
      const seen = last && unitState(last, { waitedMs, startMs: Number.POSITIVE_INFINITY });
      if (seen?.kind === 'exited' && over.reason !== 'DeadlineExceeded') return seen;
      const ended = {
        kind: 'exited',
        exitCode: /^(Complete|Success)/.test(over.type) ? 0 : null,
        outOfMemory: false,
      } as const;
      if (over.reason === 'DeadlineExceeded') {
        return { ...ended, code: 'job_timeout', reason: 'It ran for longer than Kubernetes was told to let it' };
      }
      if (/^(Complete|Success)/.test(over.type)) return { ...ended, reason: 'The worker has ended' };
      return { ...ended, code: 'worker_evicted', reason: 'Its pod was removed from the cluster' };
    }
    const said = waitedMs < 1_000 ? null : await warning('Job', name, here, signal);
    return said === null
      ? { kind: 'starting', reason: 'The Kubernetes job is made' }
      : refusedPod(said, waitedMs, here);
  }

  /** A Job whose pod the cluster does not let it make. */
  function refusedPod(said: string, waitedMs: number, { namespace }: Place): UnitState {
    const why = tidy(said.replace(/^Error creating: /, ''));
    const isLate = waitedMs > settings.startSeconds * 1000;
    const ended = { kind: 'exited', exitCode: null, outOfMemory: false } as const;
    if (isQuota(why)) {
      const reason = `A quota of namespace ${namespace} refuses it: ${why}`;
      return isLate ? { ...ended, code: 'quota_refused', reason } : { kind: 'starting', reason };
    }
    if (isAdmission(why))
      return { ...ended, code: 'admission_refused', reason: `A rule of the cluster refuses it: ${why}` };
    const reason = `Kubernetes cannot make its pod: ${why}`;
    return isLate ? { ...ended, code: 'launch_failed', reason } : { kind: 'starting', reason };
  }

  return {
    async launch(request, o) {
      const name = unitName(request);
      const known = parts.launching.get(name);
      if (known) return known;
      const unit: Unit = {
        ...{ name, labels: unitLabels(access.instanceId, request), token: request.workerToken },
        image: request.image ?? settings.image ?? parts.workerImage,
        ...{ program: `${FILES_DIR}/boot.mjs`, resources: request.resources, deadlineSeconds: request.deadlineSeconds },
      };
      const launch = at('making a job', (here) => make(unit, here, o.signal)).finally(() =>
        parts.launching.delete(name),
      );
      parts.launching.set(name, launch);
      return launch;
    },

    async inspect(unit, o) {
      return at('looking at jobs', async (here) => {
        const name = unitName(unit);
        const pods = await podsOf(here).of(name, o.signal);
        // Two only while one of them is on its way out.
        const pod = pods.find((one) => !one.isTerminating) ?? pods[0];
        if (!pod) return ofJob(name, here, o.signal);
        const state = await ofPod(pod, here, o.signal);
        // It ended because it is being removed: the Job knows whether that is for its deadline.
        if (state.kind !== 'exited' || state.code !== undefined || !pod.isTerminating) return state;
        const ofIts = await ofJob(name, here, o.signal);
        return ofIts.kind === 'exited' && ofIts.code === 'job_timeout' ? { ...ofIts, exitCode: state.exitCode } : state;
      });
    },

    async cancel(unit, o) {
      const name = unitName(unit);
      await at('ending a job', async (here) => {
        const pods = podsOf(here);
        // Without a pod there is nothing to end but the Job, which would make one later on.
        if ((await pods.of(name, o.signal)).length === 0) {
          await removeJob(name, here, o.signal);
          if (!(await pods.until(name, (seen) => seen.length > 0, { ms: 300, signal: o.signal }))) return;
        }
        const seconds = Math.max(1, Math.ceil(o.graceMs / 1000));
        const isOver = (pod: PodSeen) => pod.phase === 'Failed' || pod.phase === 'Succeeded';
        const running = (await pods.of(name, o.signal)).filter((pod) => !isOver(pod));
        for (const pod of running) await endPod(pod, seconds, here, o.signal);
        const areOver = (left: readonly PodSeen[]) =>
          left.every((pod) => isOver(pod) || (pod.workerEnded !== null && !pod.workerRuns));
        const ended = await pods.until(name, areOver, { ms: seconds * 1000 + STRIKE_OFF_MS, signal: o.signal });
        if (!ended) throw new HangarError('driver_unavailable', { message: `The pod of ${name} does not end.` });
      });
    },

    remove: (unit, o) => at('removing jobs', (here) => removeUnit(unitName(unit), here, o.signal)),

    async lastWords(unit, o) {
      return at('reading the log of a pod', async (here) => {
        const name = unitName(unit);
        const pod = (await podsOf(here).of(name, o.signal))[0] ?? podsOf(here).lastOf(name);
        if (!pod) return [];
        const kept = pod.workerEnded?.message || pod.installEnded?.message || '';
        const query = { container: 'worker', tailLines: String(LAST_LINES), limitBytes: '16384' };
        const text =
          kept ||
          (await here.connection.api
            .text(corePath(here, `pods/${pod.name}/log`), { query, signal: o.signal })
            .catch(() => ''));
        return text
          .split('\n')
          .map(tidy)
          .filter((line) => line !== '')
          .slice(-LAST_LINES);
      });
    },

    sweep: (isOwned, o) =>
      at('finding jobs', (here) => sweepNamespace({ ...parts, here, removeUnit, isOwned, signal: o.signal })),

    validate: (o) =>
      at('making a job', async (here) => {
        const unit = probeOf(parts, settings);
        await tryJob(jobFrom(template, planOf(unit, here, await parts.files.name())), here, o.signal);
      }),

    test: (o) =>
      testCluster({ ...parts, settings, place, bodyOf, make, removeUnit, podsOf, warning, signal: o.signal }),
  };
}

/** How pods reach this server. @throws HangarError launch_failed when they cannot */
export function serverUrl(settings: KubernetesSettings, access: WorkerAccess): string {
  const url = (settings.serverUrl ?? access.httpUrl).replace(/\/+$/, '');
  if (!/^(localhost|127\..*|\[::1\]|0\.0\.0\.0)$/.test(new URL(url).hostname)) return url;
  throw new HangarError('launch_failed', {
    message: `Pods cannot reach this server at ${url}.`,
    wayOut: 'Set HANGAR_PUBLIC_URL, or serverUrl in the profile, to an address that pods of the cluster reach.',
  });
}

/** Null when the API server answered with this status. */
export async function unless<T>(status: number, answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (isStatus(error, status)) return null;
    throw error;
  }
}

function defined(limits: { cpus?: number | undefined; memoryBytes?: number | undefined }): {
  cpus?: number;
  memoryBytes?: number;
} {
  return {
    ...(limits.cpus === undefined ? {} : { cpus: limits.cpus }),
    ...(limits.memoryBytes === undefined ? {} : { memoryBytes: limits.memoryBytes }),
  };
}
