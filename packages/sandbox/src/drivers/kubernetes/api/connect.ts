import { access } from 'node:fs/promises';
import { HangarError } from '@hangar/contract';
import { type ClusterApi, createApi } from './api.ts';
import { credentialsOf, given, tokenFile } from './credentials.ts';
import { type Kubeconfig, readKubeconfig } from './kubeconfig.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Files of the kubeconfig are read again after this long: people change contexts. */
const FILES_AGE_MS = 5_000;

/** Where clusters may be found; config.ts fills it from the environment. */
export interface ClusterPlaces {
  /** KUBERNETES_SERVICE_HOST and …_PORT: this server runs in a pod. */
  readonly inCluster: { readonly host: string; readonly port: string } | null;
  /** The files of KUBECONFIG, or ~/.kube/config. */
  readonly kubeconfig: readonly string[];
  /** For programs that a kubeconfig names (aws, gke-gcloud-auth-plugin, kubelogin); says, too, whether a proxy stands before a cluster. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A cluster that this server knows how to reach; whether it answers shows when it is asked. */
export interface Connection {
  readonly source: 'in-cluster' | 'kubeconfig';
  /** Null in the cluster's own pod. */
  readonly context: string | null;
  /** That of the context or of Hangar's own pod; `default` otherwise. */
  readonly namespace: string;
  readonly api: ClusterApi;
}

export interface ClusterContext {
  readonly name: string;
  readonly server: string;
  readonly namespace: string;
  readonly isCurrent: boolean;
}

/** The clusters this server can reach. One for the whole server: all who use a context share its connections. */
export interface Clusters {
  /** What a person may pick from: the contexts of the kubeconfig, empty where there is none. */
  contexts(): Promise<ClusterContext[]>;
  /**
   * Without a context: the cluster this server runs in, else the current context of the kubeconfig. Cheap to repeat; gives
   * the same object until the kubeconfig changes.
   * @throws HangarError cluster_not_connected, with the way out: no kubeconfig, no such context, a file or program of it is missing
   */
  connect(context?: string): Promise<Connection>;
  close(): void;
}

export function createClusters(places: ClusterPlaces): Clusters {
  const known = new Map<string, { connection: Connection; made: string }>();
  let files: { at: number; read: Promise<Kubeconfig | null> } | null = null;

  function kubeconfig(): Promise<Kubeconfig | null> {
    if (files && performance.now() - files.at < FILES_AGE_MS) return files.read;
    const read = readKubeconfig(places.kubeconfig);
    files = { at: performance.now(), read };
    read.catch(() => {
      files = null;
    });
    return read;
  }

  /** The one in hand when nothing of its settings changed. */
  function remember(key: string, settings: unknown, make: () => Connection): Connection {
    const made = JSON.stringify(settings);
    const old = known.get(key);
    if (old?.made === made) return old.connection;
    const connection = make();
    known.set(key, { connection, made });
    old?.connection.api.close();
    return connection;
  }

  async function inCluster(at: { host: string; port: string }): Promise<Connection> {
    const ca = await given(undefined, `${SERVICE_ACCOUNT}/ca.crt`);
    const namespace = await given(undefined, `${SERVICE_ACCOUNT}/namespace`);
    const server = `https://${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}`;
    return remember('', { server, ca, namespace }, () => ({
      ...{ source: 'in-cluster', context: null, namespace: namespace?.trim() || 'default' },
      api: createApi({
        ...{ server, ca, insecure: false, env: places.environment },
        credentials: tokenFile(`${SERVICE_ACCOUNT}/token`),
      }),
    }));
  }

  async function byContext(wanted: string | undefined): Promise<Connection> {
    const config = await kubeconfig();
    if (!config) throw notConnected(places);
    const name = wanted ?? config.current;
    if (name === null) {
      throw new HangarError('cluster_not_connected', {
        message: 'The kubeconfig names no current context.',
        wayOut: `Pick one: ${[...config.contexts.keys()].join(', ') || 'it has none'}.`,
      });
    }
    const context = config.contexts.get(name);
    const cluster = context && config.clusters.get(context.cluster);
    if (!context || !cluster) {
      throw new HangarError('cluster_not_connected', {
        message: `The kubeconfig has no ${context ? `cluster ${context.cluster}` : `context ${name}`}.`,
        wayOut: `Pick one of its contexts: ${[...config.contexts.keys()].join(', ') || 'it has none'}.`,
      });
    }
    const user = config.users.get(context.user) ?? {};
    const ca = await given(cluster['certificate-authority-data'], cluster['certificate-authority']);
    return remember(`context ${name}`, { context, cluster, user, ca }, () => ({
      ...{ source: 'kubeconfig', context: name, namespace: context.namespace ?? 'default' },
      api: createApi({
        ...{ server: cluster.server.replace(/\/+$/, ''), ca, insecure: cluster['insecure-skip-tls-verify'] === true },
        ...(cluster['tls-server-name'] ? { serverName: cluster['tls-server-name'] } : {}),
        ...(cluster['proxy-url'] ? { proxyUrl: cluster['proxy-url'] } : {}),
        env: places.environment,
        credentials: credentialsOf(user, cluster, places.environment),
      }),
    }));
  }

  return {
    async contexts() {
      const config = await kubeconfig();
      return [...(config?.contexts ?? [])].flatMap(([name, context]) => {
        const cluster = config?.clusters.get(context.cluster);
        if (!cluster) return [];
        const namespace = context.namespace ?? 'default';
        return [{ name, server: cluster.server, namespace, isCurrent: name === config?.current }];
      });
    },

    async connect(context) {
      if (context === undefined && places.inCluster && (await exists(`${SERVICE_ACCOUNT}/token`))) {
        return inCluster(places.inCluster);
      }
      return byContext(context);
    },

    close() {
      for (const { connection } of known.values()) connection.api.close();
      known.clear();
    },
  };
}

function notConnected(places: ClusterPlaces): HangarError {
  if (places.inCluster) {
    return new HangarError('cluster_not_connected', {
      message: 'This server runs in a pod that has no service account token, and there is no kubeconfig.',
      wayOut: 'Give its pod a service account with automountServiceAccountToken: true, as deploy/k8s does.',
    });
  }
  return new HangarError('cluster_not_connected', {
    message: `This server is not in a cluster, and there is no kubeconfig at ${places.kubeconfig.join(' or ')}.`,
  });
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
