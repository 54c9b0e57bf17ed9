import type { ClusterEvent, PodContainer } from '@hangar/contract';
import type { KubernetesObject } from '@hangar/sandbox/kubernetes';
import type { PodSeen } from '../../../features/kubernetes/index.ts';
import { triState } from './node-row.ts';
import type { RawContainer } from './pod-requests.ts';
import { isSidecar, type JobOf, podRow, type RawPod, type RawStatus, timeOf } from './pod-row.ts';

const iso = (text: string | undefined): string | null => {
  const ms = timeOf(text);
  return ms === null ? null : new Date(ms).toISOString();
};

/** A pod that is looked at alone. Its environment, arguments and volumes are not read: they may be secrets. */
export function podSeen(object: KubernetesObject, jobOf: JobOf): PodSeen {
  const { metadata, spec, status } = object as RawPod;
  const statuses = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  const run = (kind: PodContainer['kind']) => (container: RawContainer) =>
    containerOf(
      container,
      statuses.find(({ name }) => name === container.name),
      kind === 'init' && isSidecar(container) ? 'sidecar' : kind,
    );
  return {
    row: podRow(object, jobOf, (text) => text),
    rest: {
      phase: status?.phase ?? 'Unknown',
      address: status?.podIP ?? null,
      serviceAccount: spec?.serviceAccountName ?? null,
      priority: spec?.priority ?? null,
      quality: status?.qosClass ?? null,
      labels: { ...metadata.labels },
      conditions: (status?.conditions ?? []).map((condition) => ({
        type: condition.type,
        status: triState(condition.status),
        reason: condition.reason ?? '',
        message: condition.message ?? '',
        since: iso(condition.lastTransitionTime),
      })),
      runs: [
        ...(spec?.initContainers ?? []).map(run('init')),
        ...(spec?.containers ?? []).map(run('container')),
        ...(spec?.ephemeralContainers ?? []).map(run('ephemeral')),
      ],
    },
  };
}

function containerOf(container: RawContainer, status: RawStatus | undefined, kind: PodContainer['kind']): PodContainer {
  const { waiting, running, terminated } = status?.state ?? {};
  const last = status?.lastState?.terminated;
  return {
    name: container.name,
    kind,
    image: container.image ?? status?.image ?? '',
    state: running ? 'running' : terminated ? 'terminated' : waiting?.reason ? 'waiting' : 'not_begun',
    ready: status?.ready ?? false,
    reason: waiting?.reason ?? terminated?.reason ?? null,
    message: waiting?.message ?? terminated?.message ?? null,
    exitCode: terminated?.exitCode ?? null,
    restarts: status?.restartCount ?? 0,
    startedAt: iso(running?.startedAt ?? terminated?.startedAt),
    finishedAt: iso(terminated?.finishedAt),
    last: last
      ? { reason: last.reason ?? null, exitCode: last.exitCode ?? null, finishedAt: iso(last.finishedAt) }
      : null,
  };
}

interface RawEvent extends KubernetesObject {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
  readonly eventTime?: string;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string };
  readonly source?: { readonly component?: string };
  readonly reportingComponent?: string;
}

export function eventOf(object: KubernetesObject): ClusterEvent {
  const event = object as RawEvent;
  const firstAt = iso(event.firstTimestamp || event.eventTime);
  return {
    type: event.type === 'Warning' ? 'Warning' : 'Normal',
    reason: event.reason ?? '',
    message: event.message ?? '',
    from: event.reportingComponent || event.source?.component || '',
    count: event.series?.count ?? event.count ?? 1,
    firstAt,
    lastAt: iso(event.series?.lastObservedTime || event.lastTimestamp || event.eventTime) ?? firstAt,
  };
}
