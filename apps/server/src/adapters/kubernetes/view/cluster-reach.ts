import { HangarError } from '@hangar/contract';
import type { Clusters, Connection } from '@hangar/sandbox/kubernetes';
import type { Logger } from 'pino';
import type { ClusterReach, ClusterSource } from '../../../features/kubernetes/index.ts';
import { createClusterSource } from './cluster-source.ts';

export interface ReachOptions {
  readonly clusters: Clusters;
  readonly instanceId: string;
  readonly log: Logger;
}

/** The clusters this server knows the way to, for the view. */
export function createClusterReach({ clusters, instanceId, log }: ReachOptions): ClusterReach {
  const sources = new WeakMap<Connection, ClusterSource>();

  return {
    async places() {
      const contexts = await clusters.contexts().catch(() => []);
      const connection = await clusters.connect().catch((error: unknown) => {
        if (error instanceof HangarError) return error;
        throw error;
      });
      const source =
        connection instanceof HangarError
          ? contexts.length > 0
            ? 'kubeconfig'
            : null
          : connection.source === 'in-cluster'
            ? 'in_cluster'
            : 'kubeconfig';
      return {
        source,
        contexts: contexts.map(({ name, server, namespace, isCurrent }) => ({
          name,
          cluster: server,
          namespace,
          isCurrent,
        })),
      };
    },

    async open(context) {
      const connection = await clusters.connect(context);
      const known = sources.get(connection);
      if (known) return known;
      const source = createClusterSource({ connection, instanceId, log });
      sources.set(connection, source);
      return source;
    },
  };
}
