import type { ClusterNode, ClusterState, NodeState, Pod, PodContainer, PodState, ResourceUse } from '../kubernetes.ts';
import { formatCount } from './number.ts';
import type { StateWords } from './tone.ts';

export const CLUSTER_WORDS = {
  connected: { tone: 'good', word: 'connected' },
  connecting: { tone: 'working', word: 'connecting' },
  not_connected: { tone: 'ended', word: 'not connected' },
  unreachable: { tone: 'bad', word: 'out of reach' },
  refused: { tone: 'bad', word: 'refused' },
  forbidden: { tone: 'needs', word: 'nothing to see' },
} as const satisfies Record<ClusterState, StateWords>;

export const NODE_WORDS = {
  ready: { tone: 'good', word: 'ready' },
  not_ready: { tone: 'bad', word: 'not ready' },
  unknown: { tone: 'bad', word: 'silent' },
  unschedulable: { tone: 'needs', word: 'cordoned' },
} as const satisfies Record<NodeState, StateWords>;

/** A node that is ready and has something to say, such as pressure on its disk, needs somebody. */
export const nodeWords = ({ state, reason }: Pick<ClusterNode, 'state' | 'reason'>): StateWords =>
  state === 'ready' && reason !== null ? { tone: 'needs', word: 'under pressure' } : NODE_WORDS[state];

export const POD_WORDS = {
  pending: { tone: 'waiting', word: 'pending' },
  failing: { tone: 'bad', word: 'failing' },
  unknown: { tone: 'bad', word: 'unknown' },
  failed: { tone: 'bad', word: 'failed' },
  terminating: { tone: 'working', word: 'terminating' },
  running: { tone: 'good', word: 'running' },
  succeeded: { tone: 'ended', word: 'succeeded' },
} as const satisfies Record<PodState, StateWords>;

/** The tone of its state, in the word that kubectl prints. A pod that runs and is not ready is not well. */
export const podWords = (pod: Pick<Pod, 'state' | 'status' | 'ready' | 'containers'>): StateWords =>
  pod.state === 'running' && pod.ready < pod.containers
    ? { tone: 'working', word: `${pod.status}, not ready` }
    : { ...POD_WORDS[pod.state], word: pod.status };

export const CONTAINER_WORDS = {
  waiting: { tone: 'bad', word: 'waiting' },
  running: { tone: 'good', word: 'running' },
  terminated: { tone: 'bad', word: 'ended' },
  not_begun: { tone: 'waiting', word: 'not begun' },
} as const satisfies Record<PodContainer['state'], StateWords>;

/** In the word of the cluster where it has one. Only a container that is being made waits for nobody. */
export function containerWords(
  run: Pick<PodContainer, 'state' | 'reason' | 'exitCode' | 'ready' | 'kind'>,
): StateWords {
  const { tone, word } = CONTAINER_WORDS[run.state];
  if (run.state === 'running')
    return run.ready || run.kind === 'init' ? { tone, word } : { tone: 'working', word: 'running, not ready' };
  if (run.state === 'terminated' && run.exitCode === 0) return { tone: 'ended', word: run.reason ?? 'completed' };
  if (run.state === 'waiting' && /^(ContainerCreating|PodInitializing)$/.test(run.reason ?? ''))
    return { tone: 'waiting', word: run.reason ?? word };
  return { tone, word: run.reason ?? word };
}

/** `0.25`, `1.5`, `12`: cores, with what a reader can tell apart. */
export function cores(value: number): string {
  if (value >= 100) return formatCount(Math.round(value));
  if (value >= 10) return value.toFixed(1).replace(/\.0$/, '');
  return value > 0 && value < 0.005 ? '<0.01' : value.toFixed(2).replace(/\.?0+$/, '');
}

/** `12.4 of 64`: what is in use where that is measured, else what is asked for. */
export function shareWords(use: ResourceUse, say: (value: number) => string): string {
  const taken = use.used ?? use.requested;
  return `${taken === null ? '–' : say(taken)} of ${say(use.allocatable)}`;
}
