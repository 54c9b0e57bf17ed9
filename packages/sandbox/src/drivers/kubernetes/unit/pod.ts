import { z } from 'zod';
import { BEFORE_NAMES } from '../../../brought/programs.ts';
import { LABEL } from './labels.ts';

const words = z.string().catch('');
const Status = z.object({
  name: z.string(),
  state: z
    .object({
      waiting: z.object({ reason: words, message: words }).nullish(),
      running: z.object({}).nullish(),
      terminated: z.object({ exitCode: z.number().catch(-1), reason: words, message: words }).nullish(),
    })
    .catch({}),
});
const Pod = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    labels: z.record(z.string(), z.string()).catch({}),
    creationTimestamp: words,
    deletionTimestamp: z.string().nullish(),
    deletionGracePeriodSeconds: z.number().nullish(),
  }),
  spec: z.object({
    nodeName: words,
    containers: z
      .array(
        z.object({
          name: z.string(),
          image: words,
          resources: z
            .object({ limits: z.object({ memory: words }).catch({ memory: '' }) })
            .catch({ limits: { memory: '' } }),
        }),
      )
      .catch([]),
  }),
  status: z
    .object({
      phase: words,
      reason: words,
      message: words,
      conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: words, message: words })).catch([]),
      initContainerStatuses: z.array(Status).catch([]),
      containerStatuses: z.array(Status).catch([]),
    })
    .catch({
      ...{ phase: '', reason: '', message: '', conditions: [] },
      ...{ initContainerStatuses: [], containerStatuses: [] },
    }),
});

/** What is kept of a pod of a unit. Words in it come from the cluster and from what runs there: never trusted, only shown. */
export interface PodSeen {
  readonly name: string;
  readonly uid: string;
  readonly unit: string;
  /** What it runs: the name of what was brought, or `hold`. */
  readonly program: string;
  readonly createdAt: number;
  readonly isTerminating: boolean;
  readonly node: string;
  readonly phase: string;
  readonly reason: string;
  readonly message: string;
  readonly unscheduled: string | null;
  /** Why the cluster takes or took it away: DeletionByTaintManager, EvictionByEvictionAPI, PreemptionByScheduler… */
  readonly disruption: { readonly reason: string; readonly message: string } | null;
  /** The first container that cannot start, the init container before the worker. */
  readonly waiting: { readonly reason: string; readonly message: string; readonly image: string } | null;
  readonly installEnded: { readonly exitCode: number; readonly reason: string; readonly message: string } | null;
  readonly workerEnded: { readonly exitCode: number; readonly reason: string; readonly message: string } | null;
  readonly workerRuns: boolean;
  readonly image: string;
  /** As Kubernetes writes it; empty without a limit. */
  readonly memoryLimit: string;
}

/** Null for what is no pod of a unit. */
export function readPod(object: unknown): PodSeen | null {
  const parsed = Pod.safeParse(object);
  if (!parsed.success) return null;
  const { metadata, spec, status } = parsed.data;
  const unit = metadata.labels[LABEL.unit];
  if (unit === undefined) return null;
  const of = (statuses: z.infer<typeof Status>[], name: string) => statuses.find((one) => one.name === name)?.state;
  const install = of(status.initContainerStatuses, 'runtime');
  const worker = of(status.containerStatuses, 'worker');
  const condition = (type: string, value: string) =>
    status.conditions.find((one) => one.type === type && one.status === value) ?? null;
  const scheduled = condition('PodScheduled', 'False');
  const disruption = condition('DisruptionTarget', 'True');
  const blocked = [...status.initContainerStatuses, ...status.containerStatuses].find(
    ({ state }) => state.waiting && !/^(PodInitializing|ContainerCreating)?$/.test(state.waiting.reason),
  );
  const image = spec.containers.find(({ name }) => name === 'worker')?.image ?? '';
  return {
    ...{ name: metadata.name, uid: metadata.uid, unit, node: spec.nodeName },
    program: metadata.labels[LABEL.program] ?? BEFORE_NAMES,
    createdAt: Date.parse(metadata.creationTimestamp) || 0,
    isTerminating: metadata.deletionTimestamp != null,
    ...{ phase: status.phase, reason: status.reason, message: status.message },
    unscheduled: scheduled?.reason === 'Unschedulable' ? scheduled.message : null,
    disruption: disruption && { reason: disruption.reason, message: disruption.message },
    waiting: blocked?.state.waiting
      ? { ...blocked.state.waiting, image: imageOf(object, blocked.name) || image }
      : null,
    installEnded: install?.terminated && install.terminated.exitCode !== 0 ? install.terminated : null,
    workerEnded: worker?.terminated ?? null,
    workerRuns: worker?.running != null,
    image,
    memoryLimit: spec.containers.find(({ name }) => name === 'worker')?.resources.limits.memory ?? '',
  };
}

const Images = z.object({
  spec: z.object({ initContainers: z.array(z.object({ name: z.string(), image: words })).catch([]) }),
});

/** Of an init container. */
function imageOf(object: unknown, name: string): string {
  const parsed = Images.safeParse(object);
  return parsed.success ? (parsed.data.spec.initContainers.find((one) => one.name === name)?.image ?? '') : '';
}
