export { ApiError, type ClusterApi, isStatus } from './api.ts';
export { type ClusterContext, type ClusterPlaces, type Clusters, type Connection, createClusters } from './connect.ts';
export { createKubernetesDriver } from './driver.ts';
export { createClusterReach } from './view/cluster-reach.ts';
export { type Change, type KubernetesObject, type Watch, type WatchState, watch } from './watch.ts';
