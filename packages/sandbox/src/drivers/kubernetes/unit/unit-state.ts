import { type ErrorCode, sizeInWords } from '@hangar/contract';
import { formatDuration } from '@hangar/contract/words/time';
import { HELD_ITS_TIME, HELD_UNTIL_TOLD } from '../../../brought/hold.ts';
import { programInWords } from '../../../brought/programs.ts';
import { whyUnsuitable } from '../../../brought/start-script.ts';
import type { UnitState } from '../../../port/unit.ts';
import type { PodSeen } from './pod.ts';

type Exited = Extract<UnitState, { kind: 'exited' }>;

/** Waiting that no patience ends. */
const HOPELESS: Readonly<Record<string, { code: ErrorCode; says: (pod: Waiting) => string }>> = {
  ErrImageNeverPull: {
    code: 'image_not_found',
    says: ({ image }) => `The image ${image} is not on the node, and the profile says never to pull`,
  },
  InvalidImageName: { code: 'image_not_found', says: ({ image }) => `${image} is not the name of an image` },
};
const PULL =
  /^(ErrImagePull|ImagePullBackOff|RegistryUnavailable|ErrImageInspect|ImageInspectError|SignatureValidationFailed)$/;
/** A registry that answered that there is no such image, or none for us. Anything else may be a matter of time. */
const NO_SUCH_IMAGE =
  /not found|manifest unknown|does not exist|denied|unauthorized|forbidden|no matching manifest|invalid reference|authentication required/i;
/** A registry out of reach says "not found" too, of hosts. */
const OUT_OF_REACH = /no such host|lookup |dial tcp|timeout|timed out|refused|unknown authority|too many requests/i;

interface Waiting {
  readonly reason: string;
  readonly message: string;
  readonly image: string;
}

/**
 * What a pod says of its unit, in people's words. Pure.
 *
 * @param waitedMs since the unit was made, and `startMs` how long it may wait for a node or an image
 * @param warning the cluster's last complaint about the pod, where it does not get on and its status does not say why
 */
export function unitState(pod: PodSeen, o: { waitedMs: number; startMs: number; warning?: string | null }): UnitState {
  const ended = endOf(pod);
  if (ended) return ended;
  // Its node was given up: what is said to run there was said before.
  if (pod.isTerminating && pod.disruption?.reason === 'DeletionByTaintManager') return lostNode(pod);
  if (pod.workerRuns) return { kind: 'running' };
  // Taken away while it was waiting for its containers to end or before they began.
  if (pod.isTerminating) return { kind: 'starting', reason: 'Kubernetes removes the pod' };
  const isLate = o.waitedMs > o.startMs;
  const late = (code: ErrorCode, reason: string): UnitState =>
    isLate
      ? exited({ code, reason: `${reason} (waited ${formatDuration(o.waitedMs)})` })
      : { kind: 'starting', reason };

  if (pod.unscheduled !== null) return late('unschedulable', `No node can take it: ${tidy(pod.unscheduled)}`);
  if (pod.waiting) {
    const hopeless = HOPELESS[pod.waiting.reason];
    if (hopeless) return exited({ code: hopeless.code, reason: hopeless.says(pod.waiting) });
    if (PULL.test(pod.waiting.reason)) return pulling(pod.waiting, late);
    const said = tidy(pod.waiting.message);
    return late('launch_failed', `The container cannot be made: ${said || pod.waiting.reason}`);
  }
  if (o.warning) return late('launch_failed', `The pod does not get on: ${tidy(o.warning)}`);
  if (pod.node !== '') return late('launch_failed', `Preparing the pod on node ${pod.node}`);
  return late('unschedulable', 'Waiting for a node');
}

function pulling(waiting: Waiting, late: (code: ErrorCode, reason: string) => UnitState): UnitState {
  const { image } = waiting;
  const said = tidy(waiting.message.replace(/^Back-off pulling image "[^"]*"(: )?/, ''));
  const reason = `The image ${image} cannot be pulled${said ? `: ${said}` : ''}`;
  const isGone = NO_SUCH_IMAGE.test(said) && !OUT_OF_REACH.test(said);
  return isGone ? exited({ code: 'image_not_found', reason }) : late('image_not_found', reason);
}

/** How the pod ended; null while it has not. */
function endOf(pod: PodSeen): Exited | null {
  const { workerEnded: worker } = pod;
  const isOver = pod.phase === 'Failed' || pod.phase === 'Succeeded';
  if (!worker && !isOver && !pod.installEnded) return null;
  const exitCode = worker?.exitCode ?? null;
  if (pod.reason === 'Evicted') {
    return exited({ exitCode, code: 'worker_evicted', reason: evictionOf(pod.message) });
  }
  if (pod.reason === 'DeadlineExceeded') {
    return exited({ exitCode, code: 'job_timeout', reason: 'It ran for longer than Kubernetes was told to let it' });
  }
  if (/^(NodeLost|NodeShutdown|Shutdown|Terminated)$/.test(pod.reason)) return lostNode(pod);
  // Also of a worker that ended well: told to stop, it saves its diff and does so. Whether it was done, it told the server.
  if (pod.disruption) return disrupted(pod, exitCode);
  if (worker) return ofWorker(pod, worker);
  if (pod.installEnded) {
    const { exitCode: code, message, reason } = pod.installEnded;
    if (reason === 'OOMKilled') return exited({ reason: 'Out of memory while Node was brought along' });
    return exited({
      code: 'launch_failed',
      reason: `Node could not be brought along (${code}): ${lastLine(message) || reason}`,
    });
  }
  if (pod.phase === 'Succeeded') return exited({ exitCode: 0, reason: `${programInWords(pod.program)} has ended` });
  // The kubelet refused it: OutOfcpu, OutOfmemory, OutOfpods, NodeAffinity, UnexpectedAdmissionError.
  return exited({
    code: 'launch_failed',
    reason: `Its node refused it: ${tidy(pod.message) || pod.reason || 'it did not say why'}`,
  });
}

/** In words; the kubelet says what there was too little of, or too much. */
export const evictionOf = (message: string): string => `Kubernetes evicted it: ${tidy(message)}`;

function ofWorker(pod: PodSeen, worker: NonNullable<PodSeen['workerEnded']>): Exited {
  const { exitCode, reason } = worker;
  const said = lastLine(worker.message);
  const detail = said ? `: ${said}` : '';
  const what = programInWords(pod.program);
  const isHolder = pod.program === 'hold';
  if (reason === 'OOMKilled' && exitCode !== 0) {
    return { ...exited({ exitCode, reason: `Out of memory at ${memoryInWords(pod.memoryLimit)}` }), outOfMemory: true };
  }
  if (exitCode === 0 || (isHolder && exitCode === HELD_UNTIL_TOLD))
    return exited({ exitCode, reason: `${what} has ended` });
  if (isHolder && exitCode === HELD_ITS_TIME) return exited({ exitCode, reason: 'The time of the machine was over' });
  // The node was started again, or its runtime lost the container.
  if (reason === 'ContainerStatusUnknown' || /could not be located/i.test(worker.message))
    return lostNode(pod, exitCode);
  const unsuitable = isHolder ? null : whyUnsuitable(exitCode, 'image');
  if (unsuitable !== null) return exited({ exitCode, reason: unsuitable, code: 'image_unsuitable' });
  if (/^(StartError|ContainerCannotRun|RunContainerError)$/.test(reason)) {
    if (/executable file not found|no such file or directory/i.test(worker.message)) {
      return exited({ exitCode, reason: 'The image has no shell', code: 'image_unsuitable' });
    }
    const code = /exec format error|permission denied/i.test(worker.message) ? 'image_unsuitable' : 'launch_failed';
    return exited({ exitCode, reason: `The container did not start${detail}`, code });
  }
  if (!isHolder && /GLIBC(XX)?_|error while loading shared libraries|exec format error/i.test(said)) {
    return exited({ exitCode, reason: `The image cannot run Node${detail}`, code: 'image_unsuitable' });
  }
  if (exitCode === 137 && said === '') return exited({ exitCode, reason: `${what} was killed` });
  return exited({ exitCode, reason: `${what} ended with exit code ${exitCode}${detail}` });
}

function disrupted(pod: PodSeen, exitCode: number | null): Exited {
  const { reason = '', message = '' } = pod.disruption ?? {};
  if (/^(DeletionByTaintManager|DeletionByPodGC)$/.test(reason)) return lostNode(pod, exitCode);
  const why: Record<string, string> = {
    PreemptionByScheduler: 'A pod of higher priority took its place',
    PreemptionByKubeScheduler: 'A pod of higher priority took its place',
    EvictionByEvictionAPI: 'Its node was drained',
    TerminationByKubelet: 'Its node needed the room, or was shut down',
  };
  const said = tidy(message);
  return exited({
    exitCode,
    code: 'worker_evicted',
    reason: `${why[reason] ?? 'Kubernetes took it away'}${said ? `: ${said}` : ''}`,
  });
}

const lostNode = (pod: PodSeen, exitCode: number | null = null): Exited =>
  exited({
    exitCode,
    code: 'node_lost',
    reason: `Its node${pod.node ? ` ${pod.node}` : ''} was lost or started again`,
  });

function exited(o: { reason: string; code?: ErrorCode; exitCode?: number | null }): Exited {
  return {
    ...{ kind: 'exited', exitCode: o.exitCode ?? null, outOfMemory: false, reason: o.reason },
    ...(o.code === undefined ? {} : { code: o.code }),
  };
}

/** One line, without what terminals would act on, and not too long. */
export const tidy = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .replace(/\.$/, '')
    .slice(0, 500);

export function lastLine(text: string): string {
  const lines = text.split('\n').map(tidy);
  return (lines.findLast((line) => line !== '') ?? '').slice(0, 300);
}

const UNITS: Readonly<Record<string, number>> = {
  ...{ '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3, Ti: 1024 ** 4 },
};

/** "256 MiB" for what Kubernetes writes as 268435456, 256Mi or 0.25Gi. */
export function memoryInWords(quantity: string): string {
  const [, number, unit = ''] = /^([0-9.]+)([A-Za-z]*)$/.exec(quantity) ?? [];
  const bytes = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (!(bytes > 0)) return quantity === '' ? 'the memory of its node' : quantity;
  return sizeInWords(bytes);
}
