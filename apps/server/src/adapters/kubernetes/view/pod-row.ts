import type { PodState } from '@hangar/contract';
import type { KubernetesObject } from '@hangar/sandbox/kubernetes';
import type { PodRow } from '../../../features/kubernetes/index.ts';
import { podRequests, type RawContainer, type Resources } from './pod-requests.ts';

/** What is read of a pod, as the API server sends it. Anything may be missing. */
export interface RawPod extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & {
    readonly uid?: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { kind: string; name: string; controller?: boolean }[];
  };
  readonly spec?: {
    readonly nodeName?: string;
    readonly containers?: readonly RawContainer[];
    readonly initContainers?: readonly RawContainer[];
    readonly ephemeralContainers?: readonly RawContainer[];
    readonly overhead?: Readonly<Record<string, string>>;
    readonly resources?: Resources;
    readonly serviceAccountName?: string;
    readonly priority?: number;
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly podIP?: string;
    readonly qosClass?: string;
    readonly conditions?: readonly RawCondition[];
    readonly containerStatuses?: readonly RawStatus[];
    readonly initContainerStatuses?: readonly RawStatus[];
    readonly ephemeralContainerStatuses?: readonly RawStatus[];
  };
}

export interface RawCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

interface RawEnd {
  readonly exitCode?: number;
  readonly signal?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
}

export interface RawStatus {
  readonly name: string;
  readonly image?: string;
  readonly ready?: boolean;
  readonly started?: boolean;
  readonly restartCount?: number;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: { readonly startedAt?: string };
    readonly terminated?: RawEnd;
  };
  readonly lastState?: { readonly terminated?: RawEnd };
}

/** A container waits with one of these and will not begin by itself, or not for long. */
const FAILING =
  /^(CrashLoopBackOff|ImagePullBackOff|ErrImagePull|ErrImageNeverPull|InvalidImageName|ImageInspectError|RegistryUnavailable|CreateContainer(Config)?Error|RunContainerError|PostStartHookError|PreStartHookError|ContainerCannotRun|StartError)$/;
const REASON_MOST = 400;

export const timeOf = (text: string | undefined): number | null => {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
};

/** The labels by which a pod is known as the unit of a job; see the driver. */
export type JobOf = (labels: Readonly<Record<string, string>>) => string | null;

/** Keeps of a pod what a list shows. `share` gives one string for all that are equal: most words repeat 30,000 times. */
export function podRow(object: KubernetesObject, jobOf: JobOf, share: (text: string) => string): PodRow {
  const pod = object as RawPod;
  const { metadata, spec } = pod;
  const word = statusWord(pod);
  const state = stateOf(pod, word.status);
  const reason = reasonOf(pod, state);
  const owner = metadata.ownerReferences?.find(({ controller }) => controller) ?? metadata.ownerReferences?.[0];
  const requests = podRequests(spec);
  return {
    uid: metadata.uid ?? '',
    namespace: share(metadata.namespace ?? ''),
    name: metadata.name,
    state,
    status: share(word.status),
    reason: reason === null ? null : share(reason.length > REASON_MOST ? `${reason.slice(0, REASON_MOST)}…` : reason),
    ready: word.ready,
    containers: word.containers,
    restarts: word.restarts,
    restartedAt: word.restartedAt,
    nodeName: spec?.nodeName === undefined ? null : share(spec.nodeName),
    createdAt: timeOf(metadata.creationTimestamp),
    ownerKind: owner === undefined ? null : share(owner.kind),
    ownerName: owner === undefined ? null : share(owner.name),
    jobId: metadata.labels === undefined ? null : jobOf(metadata.labels),
    cpuRequested: requests.cpu,
    cpuLimit: requests.cpuLimit,
    memoryRequested: requests.memory,
    memoryLimit: requests.memoryLimit,
    devicesRequested: requests.devices,
  };
}

interface Word {
  readonly status: string;
  readonly ready: number;
  readonly containers: number;
  readonly restarts: number;
  readonly restartedAt: number | null;
}

export const isSidecar = (container: RawContainer | undefined): boolean => container?.restartPolicy === 'Always';

/** The word in the column STATUS of `kubectl get pods`, by the same rules (printPod of kubernetes/pkg/printers), with its numbers. */
function statusWord({ metadata, spec, status }: RawPod): Word {
  const inits = spec?.initContainers ?? [];
  const conditions = status?.conditions ?? [];
  let word = status?.reason || status?.phase || 'Unknown';
  if (conditions.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated'))
    word = 'SchedulingGated';
  let restarts = 0;
  let sidecarRestarts = 0;
  let ready = 0;
  let restartedAt: number | null = null;
  const ended = (one: RawStatus) => {
    const at = timeOf(one.lastState?.terminated?.finishedAt);
    if (at !== null && (restartedAt === null || at > restartedAt)) restartedAt = at;
  };
  let initializing = false;
  for (const [index, one] of (status?.initContainerStatuses ?? []).entries()) {
    const container = inits.find(({ name }) => name === one.name);
    const { terminated, waiting } = one.state ?? {};
    restarts += one.restartCount ?? 0;
    ended(one);
    if (isSidecar(container)) sidecarRestarts += one.restartCount ?? 0;
    if (terminated?.exitCode === 0) continue;
    if (isSidecar(container) && one.started) {
      if (one.ready) ready += 1;
      continue;
    }
    initializing = true;
    if (terminated) word = `Init:${terminated.reason || endWord(terminated)}`;
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') word = `Init:${waiting.reason}`;
    else word = `Init:${index}/${inits.length}`;
    break;
  }
  const isTrue = (wanted: string) => conditions.some(({ type, status: is }) => type === wanted && is === 'True');
  if (!initializing || isTrue('Initialized')) {
    restarts = sidecarRestarts;
    let running = false;
    for (const one of (status?.containerStatuses ?? []).toReversed()) {
      const { waiting, terminated } = one.state ?? {};
      restarts += one.restartCount ?? 0;
      ended(one);
      if (waiting?.reason) word = waiting.reason;
      else if (terminated) word = terminated.reason || endWord(terminated);
      else if (one.ready && one.state?.running) {
        running = true;
        ready += 1;
      }
    }
    if (word === 'Completed' && running) word = isTrue('Ready') ? 'Running' : 'NotReady';
  }
  if (metadata.deletionTimestamp !== undefined) {
    if (status?.reason === 'NodeLost') word = 'Unknown';
    else if (!isOver(status?.phase)) word = 'Terminating';
  }
  const containers = (spec?.containers?.length ?? 0) + inits.filter(isSidecar).length;
  return { status: word, ready, containers, restarts, restartedAt };
}

const isOver = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';
const endWord = ({ signal, exitCode }: RawEnd): string => (signal ? `Signal:${signal}` : `ExitCode:${exitCode ?? 0}`);

function stateOf({ metadata, status }: RawPod, word: string): PodState {
  const phase = status?.phase;
  if (phase === 'Succeeded') return 'succeeded';
  if (phase === 'Failed') return 'failed';
  if (word === 'Unknown' || status?.reason === 'NodeLost') return 'unknown';
  if (metadata.deletionTimestamp !== undefined) return 'terminating';
  const isFailing = waits(status).some(({ reason }) => FAILING.test(reason));
  if (isFailing) return 'failing';
  return phase === 'Running' ? 'running' : 'pending';
}

interface Wait {
  readonly container: string;
  readonly reason: string;
  readonly message: string;
  readonly last: RawEnd | undefined;
}

function waits(status: RawPod['status']): Wait[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].flatMap((one) => {
    const { waiting } = one.state ?? {};
    if (!waiting?.reason) return [];
    return [
      { container: one.name, reason: waiting.reason, message: waiting.message ?? '', last: one.lastState?.terminated },
    ];
  });
}

/** Why a pod is not what somebody wants it to be, in the words of whoever decided it; null where it is, or where nobody said. */
function reasonOf(pod: RawPod, state: PodState): string | null {
  const { status } = pod;
  if (state === 'failing') {
    const wait = waits(status).find(({ reason }) => FAILING.test(reason));
    if (!wait) return null;
    const end = wait.last ? `; it ended with ${endOf(wait.last)}` : '';
    return `${wait.container}: ${wait.message || wait.reason}${end}`;
  }
  if (state === 'pending') {
    const unscheduled = status?.conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
    if (unscheduled?.message) return unscheduled.message;
    const wait = waits(status).find(({ message }) => message !== '');
    return wait ? `${wait.container}: ${wait.message}` : (status?.message ?? null);
  }
  if (state === 'failed' || state === 'unknown') {
    const ends = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].flatMap((one) => {
      const { terminated } = one.state ?? {};
      return terminated && terminated.exitCode !== 0 ? [`${one.name} ended with ${endOf(terminated)}`] : [];
    });
    return status?.message || ends.join('; ') || status?.reason || null;
  }
  if (state === 'running') {
    const unready = status?.conditions?.find(({ type, status: is }) => type === 'Ready' && is === 'False');
    return unready?.message || null;
  }
  return null;
}

function endOf({ exitCode, signal, reason, message }: RawEnd): string {
  const how = signal ? `signal ${signal}` : `exit code ${exitCode ?? 'unknown'}`;
  const why = reason && reason !== 'Error' ? ` (${reason})` : '';
  return `${how}${why}${message ? `: ${message.trim().split('\n').at(-1)}` : ''}`;
}
