import type { ClusterNode, ClusterState, NodeState, Pod, PodState } from '@hangar/contract';
import type { Tone } from '../../components/tones.ts';

export interface Status {
  readonly tone: Tone;
  readonly word: string;
}

const CLUSTER: Record<ClusterState, Status> = {
  connected: { tone: 'good', word: 'Connected' },
  connecting: { tone: 'working', word: 'Connecting' },
  not_connected: { tone: 'ended', word: 'Not connected' },
  unreachable: { tone: 'bad', word: 'Out of reach' },
  refused: { tone: 'bad', word: 'Refused' },
  forbidden: { tone: 'needs', word: 'Nothing to see' },
};

export const clusterStatus = (state: ClusterState): Status => CLUSTER[state];

const NODE: Record<NodeState, Status> = {
  ready: { tone: 'good', word: 'Ready' },
  not_ready: { tone: 'bad', word: 'Not ready' },
  unknown: { tone: 'bad', word: 'Silent' },
  unschedulable: { tone: 'needs', word: 'Cordoned' },
};

export const nodeStateStatus = (state: NodeState): Status => NODE[state];

/** A node that is ready and has something to say, such as pressure on its disk, needs somebody. */
export const nodeStatus = ({ state, reason }: Pick<ClusterNode, 'state' | 'reason'>): Status =>
  state === 'ready' && reason !== null ? { tone: 'needs', word: 'Under pressure' } : NODE[state];

const POD: Record<PodState, Status> = {
  pending: { tone: 'waiting', word: 'Pending' },
  failing: { tone: 'bad', word: 'Failing' },
  unknown: { tone: 'bad', word: 'Unknown' },
  failed: { tone: 'bad', word: 'Failed' },
  terminating: { tone: 'working', word: 'Terminating' },
  running: { tone: 'good', word: 'Running' },
  succeeded: { tone: 'ended', word: 'Succeeded' },
};

export const podStateStatus = (state: PodState): Status => POD[state];

/** The tone of its state, in the word that kubectl prints. A pod that runs and is not ready is not well. */
export function podStatus(pod: Pick<Pod, 'state' | 'status' | 'ready' | 'containers'>): Status {
  const { tone } = POD[pod.state];
  if (pod.state === 'running' && pod.ready < pod.containers)
    return { tone: 'working', word: `${pod.status}, not ready` };
  return { tone, word: pod.status };
}
