export { createClusterReach } from './view/cluster-reach.ts';
