export { createClusters } from './api/connect.ts';
export { createKubernetesDriver } from './driver.ts';
export { createClusterReach } from './view/cluster-reach.ts';
