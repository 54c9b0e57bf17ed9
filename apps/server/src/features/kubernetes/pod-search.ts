import type { SearchHit } from '@hangar/contract';
import type { Caller } from '../../platform/http/identity.ts';
import type { Kubernetes } from './kubernetes.ts';

const MOST = 8;

/** For admins, in the clusters that somebody looks at; nothing is asked of a cluster for it. */
export const searchPods =
  (kubernetes: Pick<Kubernetes, 'find'>) =>
  async (caller: Caller, text: string): Promise<SearchHit[]> => {
    if (!caller.everybody) return [];
    return kubernetes.find(text, MOST).map(({ context, pod }) => ({
      kind: 'pod',
      id: `${pod.namespace}/${pod.name}`,
      title: pod.name,
      detail: `${pod.status}, ${pod.namespace}`,
      link: `/operations/kubernetes/pods/${pod.namespace}/${pod.name}?context=${encodeURIComponent(context)}`,
    }));
  };
