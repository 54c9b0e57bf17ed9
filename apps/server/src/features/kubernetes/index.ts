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
export { kubernetesFeature } from './feature.ts';
