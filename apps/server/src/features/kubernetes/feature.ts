import type { Capability, Foundation } from '../../platform/capability.ts';
import { createClusterLive } from './cluster-live.ts';
import { createKubernetes, type KubernetesParts } from './kubernetes.ts';
import { kubernetesBytesRoutes, kubernetesRoutes } from './kubernetes-routes.ts';
import { searchPods } from './pod-search.ts';

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
