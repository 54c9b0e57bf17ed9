import type { Capability, Foundation, SearchSource } from '../../platform/capability.ts';
import { createClusterLive } from './cluster-live.ts';
import { createKubernetes, type Kubernetes, type KubernetesParts } from './kubernetes.ts';
import { kubernetesBytesRoutes, kubernetesRoutes } from './kubernetes-routes.ts';

/** The Kubernetes cluster in view. */
export function kubernetesFeature(foundation: Foundation, needs: KubernetesParts): Capability {
  const kubernetes = createKubernetes(needs);
  const live = createClusterLive({ kubernetes, log: foundation.log.child({ part: 'cluster view' }) });
  return {
    router: { kubernetes: kubernetesRoutes(kubernetes) },
    raw: [kubernetesBytesRoutes({ kubernetes, live })],
    search: searchPods(kubernetes),
    close: async () => kubernetes.close(),
  };
}

const MOST_PODS = 8;

/** For admins, in the clusters that somebody looks at; nothing is asked of a cluster for it. */
const searchPods =
  (kubernetes: Pick<Kubernetes, 'find'>): SearchSource =>
  async (caller, text) => {
    if (!caller.everybody) return [];
    return kubernetes.find(text, MOST_PODS).map(({ context, pod }) => ({
      kind: 'pod',
      id: `${pod.namespace}/${pod.name}`,
      title: pod.name,
      detail: `${pod.status}, ${pod.namespace}`,
      link: `/operations/kubernetes/pods/${pod.namespace}/${pod.name}?context=${encodeURIComponent(context)}`,
    }));
  };
