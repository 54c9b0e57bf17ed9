import { HangarError } from '@hangar/contract';
import { z } from 'zod';
import { programFile } from '../../../brought/programs.ts';
import type { Reach } from '../../../port/driver.ts';
import type { Units } from '../../../port/unit.ts';
import { isStatus, unless } from '../api/api.ts';
import { asHangarError } from '../api/errors.ts';
import { asMachineError, createExecPod, isOpen } from '../exec/exec-pod.ts';
import { createPodMachine } from '../exec/machine.ts';
import { probeOf, testCluster, tryJob } from '../test-cluster.ts';
import { programPath } from './files.ts';
import { createInspection } from './inspect.ts';
import { type JobPlan, jobFrom } from './job-template.ts';
import { LABEL, unitLabels, unitName } from './labels.ts';
import { type KubernetesParts, type KubernetesProfile, type Place, serverUrl, type Unit } from './parts.ts';
import { type PodSeen, readPod } from './pod.ts';
import { sweepNamespace } from './sweep.ts';
import { tidy } from './unit-state.ts';

/** After this long a pod that should be gone is struck off, running or not: its node does not answer. */
const STRIKE_OFF_MS = 25_000;
const REMOVE_MS = 45_000;
const STRUCK_MS = 5_000;
/** How much of a pod's own log is evidence. */
const LAST_LINES = 40;

const Listed = z.object({ items: z.array(z.unknown()) });
const Made = z.object({ metadata: z.object({ uid: z.string() }) });

/** Units as Jobs of a namespace. */
export function createKubernetesReach(parts: KubernetesParts, profile: KubernetesProfile): Reach {
  const { brought } = parts;
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

  /** The pods of a unit, as the API server itself says. */
  async function listed(name: string, here: Place, signal: AbortSignal): Promise<PodSeen[]> {
    const query = { labelSelector: `${LABEL.unit}=${name}` };
    const { items } = Listed.parse(await here.connection.api.json('GET', corePath(here, 'pods'), { query, signal }));
    return items.map(readPod).filter((pod) => pod !== null);
  }

  /** The Job as it would be made. `files`: makes sure that what is brought is there, and gives its name. */
  async function bodyOf(unit: Unit, here: Place, files: () => Promise<string>): Promise<object> {
    const plan = {
      ...{ name: unit.name, namespace: here.namespace, image: unit.image, pull: settings.pull },
      resources: { ...defined(limits), ...defined(unit.resources) },
      deadlineSeconds: unit.deadlineSeconds,
    };
    if (unit.program.kind === 'hold')
      return jobFrom(template, { ...plan, labels: unit.labels, runs: { kind: 'hold', seconds: unit.ownSeconds } });
    const workerImage = settings.workerImage ?? parts.workerImage;
    const runs: JobPlan['runs'] = {
      ...{ kind: 'brought', program: programPath(unit.program.name), serverUrl: serverUrl(settings, brought) },
      ...{ files: await files(), token: unit.name, workerImage: unit.image === workerImage ? null : workerImage },
    };
    return jobFrom(template, { ...plan, labels: { ...unit.labels, [LABEL.files]: runs.files }, runs });
  }

  const filesIn = (here: Place, signal: AbortSignal) => () =>
    parts.files.ensure(here.connection.api, here.namespace, { signal });

  /**
   * The Job, then the Secret with its input, which belongs to it from its first moment: nothing of a launch that was cut off can be
   * left over, and no Secret need ever be read or listed. The pod waits for it; a launch that is repeated brings it.
   */
  async function make(unit: Unit, here: Place, signal: AbortSignal): Promise<void> {
    const { api } = here.connection;
    const body = await bodyOf(unit, here, filesIn(here, signal));
    const query = { fieldValidation: 'Strict' };
    const made = await unless(409, api.json('POST', jobsPath(here), { body, query, signal }));
    if (unit.program.kind === 'hold') return;
    const job = made ?? (await api.json('GET', `${jobsPath(here)}/${unit.name}`, { signal }));
    const { uid } = Made.parse(job).metadata;
    const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name: unit.name, uid }];
    const secret = {
      ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', immutable: true },
      stringData: { token: `${unit.program.input}\n` },
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
    // First its pod, which would get all its time to end once the Job is gone, and a kubelet does not shorten that later. A Job
    // without retries makes no other. One whose pod nobody has seen yet takes it along.
    for (const pod of await own()) await endPod(pod, 1, here, signal);
    await removeJob(name, here, signal);
    await removeSecret(name, here, signal);
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

  const { stateOf, warning } = createInspection({ ...parts, settings });

  const units: Units = {
    async ensure({ key, program, ...spec }, o) {
      const name = unitName(key);
      const known = parts.launching.get(name);
      if (known) return known;
      if (program.kind === 'brought') programFile(brought, program.name);
      const unit: Unit = {
        ...{ name, labels: unitLabels(brought.instanceId, key, program), program, resources: spec.resources },
        image: spec.image ?? settings.image ?? parts.workerImage,
        ownSeconds: spec.deadlineSeconds,
        // Kubernetes counts from the making of the Job: waiting for a node or an image is not the unit's time.
        deadlineSeconds: spec.deadlineSeconds === null ? null : spec.deadlineSeconds + settings.startSeconds,
      };
      const launch = at('making a job', (here) => make(unit, here, o.signal)).finally(() =>
        parts.launching.delete(name),
      );
      parts.launching.set(name, launch);
      return launch;
    },

    inspect: (key, o) => at('looking at jobs', (here) => stateOf(unitName(key), here, o.signal)),

    async stop(key, o) {
      const name = unitName(key);
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
        if (ended) return;
        // Its node says nothing any more. Struck off, the job is over for the cluster; a node that comes back ends the processes.
        await removeJob(name, here, o.signal);
        for (const pod of await pods.of(name, o.signal)) await endPod(pod, 0, here, o.signal);
        if (!(await pods.until(name, areOver, { ms: STRUCK_MS, signal: o.signal })))
          throw new HangarError('driver_unavailable', { message: `The pod of ${name} does not end.` });
      });
    },

    remove: (key, o) => at('removing jobs', (here) => removeUnit(unitName(key), here, o.signal)),

    async lastWords(key, o) {
      return at('reading the log of a pod', async (here) => {
        const name = unitName(key);
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
      at('finding jobs', async (here) =>
        sweepNamespace({
          ...{ here, isOwned, signal: o.signal, instanceId: brought.instanceId, current: await parts.files.name() },
          isLaunching: (name) => parts.launching.has(name),
          removeUnit: (name) => removeUnit(name, here, o.signal),
        }),
      ),

    async machine(key, o) {
      const name = unitName(key);
      try {
        const here = await place();
        const seen = (await podsOf(here).of(name, o.signal)).find(isOpen);
        // A watch may be behind another server that made it.
        const pod = seen ?? (await listed(name, here, o.signal)).find(isOpen);
        if (!pod) throw new HangarError('sandbox_gone', { message: `No pod of ${name} runs.` });
        return createPodMachine({ pod: createExecPod({ pod, place, podsOf }), place, starts: parts.starts });
      } catch (error) {
        throw asMachineError(error, 'pods');
      }
    },

    serverUrl: async () => serverUrl(settings, brought),
  };

  return {
    units,

    validate: (o) =>
      at('making a job', async (here) => {
        await tryJob(await bodyOf(probeOf(parts, settings), here, parts.files.name), here, o.signal);
      }),

    test({ signal }) {
      const probeBody = (unit: Unit, here: Place) => bodyOf(unit, here, filesIn(here, signal));
      return testCluster({ ...parts, settings, place, bodyOf: probeBody, make, removeUnit, podsOf, warning, signal });
    },
  };
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
