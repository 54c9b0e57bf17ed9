export { ApiError, type ClusterApi, createApi, isStatus } from './api/api.ts';
export { type Clusters, type Connection, createClusters } from './api/connect.ts';
export { type KubernetesObject, type WatchOptions, watch } from './api/watch.ts';
export { createKubernetesDriver } from './driver.ts';
export { LABEL } from './unit/labels.ts';
