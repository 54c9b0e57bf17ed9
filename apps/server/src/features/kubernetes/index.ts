export type {
  CallOptions,
  ClusterPlaces,
  ClusterReach,
  ClusterSource,
  Followed,
  NodeRow,
  PodLogOptions,
  PodLogText,
  PodRow,
  PodSeen,
  Used,
} from './cluster.ts';
export { createClusterLive } from './cluster-live.ts';
export { createKubernetes, type Kubernetes } from './kubernetes.ts';
export { kubernetesBytesRoutes, kubernetesRoutes } from './kubernetes-routes.ts';
export { searchPods } from './pod-search.ts';
