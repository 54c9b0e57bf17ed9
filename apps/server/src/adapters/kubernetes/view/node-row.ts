import type { NodeCondition } from '@hangar/contract';
import type { KubernetesObject } from '@hangar/sandbox/kubernetes';
import type { NodeRow } from '../../../features/kubernetes/index.ts';
import { isDevice } from './pod-requests.ts';
import { type RawCondition, timeOf } from './pod-row.ts';
import { quantity } from './quantity.ts';

interface RawNode extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & {
    readonly creationTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly unschedulable?: boolean;
    readonly taints?: readonly { key: string; value?: string; effect: string }[];
  };
  readonly status?: {
    readonly capacity?: Readonly<Record<string, string>>;
    readonly allocatable?: Readonly<Record<string, string>>;
    readonly conditions?: readonly RawCondition[];
    readonly addresses?: readonly { type: string; address: string }[];
    readonly nodeInfo?: {
      readonly kubeletVersion?: string;
      readonly osImage?: string;
      readonly architecture?: string;
      readonly containerRuntimeVersion?: string;
    };
  };
}

const ROLE = /^node-role\.kubernetes\.io\/(.+)$/;

/** Keeps of a node what the view shows; its list of images alone is most of it. */
export function nodeRow(object: KubernetesObject): NodeRow {
  const { metadata, spec, status } = object as RawNode;
  const { capacity = {}, allocatable = {}, nodeInfo } = status ?? {};
  const labels = metadata.labels ?? {};
  const amounts = (name: string) => ({
    capacity: quantity(capacity[name]) ?? 0,
    allocatable: quantity(allocatable[name]) ?? quantity(capacity[name]) ?? 0,
  });
  return {
    name: metadata.name,
    unschedulable: spec?.unschedulable === true,
    roles: Object.keys(labels)
      .flatMap((label) => ROLE.exec(label)?.[1] ?? [])
      .sort(),
    version: nodeInfo?.kubeletVersion ?? '',
    system: [nodeInfo?.osImage, nodeInfo?.architecture].filter(Boolean).join(', '),
    runtime: nodeInfo?.containerRuntimeVersion ?? '',
    address: status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? null,
    createdAt: timeOf(metadata.creationTimestamp),
    conditions: (status?.conditions ?? []).map(condition),
    taints: (spec?.taints ?? []).map(({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`),
    cpu: amounts('cpu'),
    memory: amounts('memory'),
    pods: amounts('pods'),
    devices: Object.keys(capacity)
      .filter(isDevice)
      .map((name) => ({ name, ...amounts(name) })),
  };
}

/** Ready is good when True; everything else a node reports (pressure, missing network) is good when False. */
function condition({ type, status, reason, message, lastTransitionTime }: RawCondition): NodeCondition {
  const is = triState(status);
  const since = timeOf(lastTransitionTime);
  return {
    type,
    status: is,
    ok: is === (type === 'Ready' ? 'True' : 'False'),
    reason: reason ?? '',
    message: message ?? '',
    since: since === null ? null : new Date(since).toISOString(),
  };
}

export const triState = (status: string): 'True' | 'False' | 'Unknown' =>
  status === 'True' || status === 'False' ? status : 'Unknown';
