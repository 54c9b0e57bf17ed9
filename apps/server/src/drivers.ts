import { dirname } from 'node:path';
import { createDockerDriver } from './adapters/docker/index.ts';
import { createClusterReach, createClusters, createKubernetesDriver } from './adapters/kubernetes/index.ts';
import { createLocalDriver } from './adapters/local/index.ts';
import { createSampleCluster } from './adapters/sample-cluster/index.ts';
import type { Config } from './config.ts';
import { workerSocketFolder } from './control.ts';
import type { JobDriver, WorkerAccess } from './features/jobs/index.ts';
import type { ClusterReach } from './features/kubernetes/index.ts';
import type { Address } from './listen.ts';
import type { Foundation } from './platform/capability.ts';

/** What is built beside the server. */
export interface BuiltFiles {
  /** The bundled worker, one file. */
  readonly workerFile: string;
  readonly nodeFile: string;
  readonly webDir: string | null;
  /** The job template for Kubernetes that comes with Hangar. */
  readonly jobTemplateFile: string;
}

export interface Drivers {
  /** Those that the settings offer. */
  readonly offered: readonly JobDriver[];
  readonly clusterReach: ClusterReach;
  /** Folder of the socket for workers on this machine; null where they use a URL. */
  readonly workerSocketDir: string | null;
  close(): Promise<void>;
}

/** The adapters that reach compute, set up as the settings say. */
export function createDrivers(f: Foundation, config: Config, files: BuiltFiles, address: Address): Drivers {
  const log = (part: string) => f.log.child({ part });
  const access: WorkerAccess = {
    httpUrl: config.workerUrl ?? config.publicUrl ?? address.loopback,
    socketDir: config.workerUrl === undefined ? workerSocketFolder(config.dataDir) : null,
    workerFile: files.workerFile,
    nodeFile: files.nodeFile,
    instanceId: f.instanceId,
  };
  const clusters = createClusters(config.kubernetes);
  const kubernetes = createKubernetesDriver({
    ...{ access, clusters, workerImage: config.kubernetes.workerImage },
    jobTemplateFile: config.kubernetes.jobTemplate ?? files.jobTemplateFile,
    log: log('kubernetes'),
  });
  const known: JobDriver[] = [
    createLocalDriver({
      access: { ...access, httpUrl: config.workerUrl ?? address.loopback },
      dataDir: config.dataDir,
      network: { ...config.proxies, NODE_EXTRA_CA_CERTS: config.extraAuthorities },
      log: log('local'),
      hide: [dirname(config.masterKeyFile)],
      ...(config.path === undefined ? {} : { path: config.path }),
    }),
    createDockerDriver({ access, log: log('docker'), env: config.proxies }),
    kubernetes,
  ];
  return {
    offered: known.filter(({ name }) => config.drivers.includes(name)),
    clusterReach: config.demo
      ? createSampleCluster()
      : createClusterReach({ clusters, instanceId: f.instanceId, log: log('cluster view') }),
    workerSocketDir: access.socketDir,
    async close() {
      try {
        await kubernetes[Symbol.asyncDispose]();
      } finally {
        clusters.close();
      }
    },
  };
}
