import { homedir, userInfo } from 'node:os';
import { dirname } from 'node:path';
import type { Brought, Driver } from '@hangar/sandbox';
import { createDaytonaDriver } from '@hangar/sandbox/daytona';
import { createDockerDriver } from '@hangar/sandbox/docker';
import { createE2bDriver } from '@hangar/sandbox/e2b';
import { createClusters, createKubernetesDriver } from '@hangar/sandbox/kubernetes';
import { createLocalDriver } from '@hangar/sandbox/local';
import { createSshDriver } from '@hangar/sandbox/ssh';
import { createClusterReach } from './adapters/kubernetes/index.ts';
import { createSampleCluster } from './adapters/sample-cluster/index.ts';
import type { Config } from './config.ts';
import { socketFolder, workerSocketFolder } from './control.ts';
import { WORKER } from './features/jobs/index.ts';
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
  readonly offered: readonly Driver[];
  /** What is brought to machines in hand. */
  readonly brought: Pick<Brought, 'programs' | 'nodeFile'> & { readonly treeProgram: string };
  readonly clusterReach: ClusterReach;
  /** Folder of the socket for workers on this machine; null where they use a URL. */
  readonly workerSocketDir: string | null;
  close(): Promise<void>;
}

/** The drivers, and the view of clusters, set up as the settings say. */
export function createDrivers(f: Foundation, config: Config, files: BuiltFiles, address: Address): Drivers {
  const log = (part: string) => f.log.child({ part });
  const brought: Brought = {
    programs: { [WORKER]: { file: files.workerFile } },
    httpUrl: config.workerUrl ?? config.publicUrl ?? address.loopback,
    socketDir: config.workerUrl === undefined ? workerSocketFolder(config.dataDir) : null,
    nodeFile: files.nodeFile,
    instanceId: f.instanceId,
  };
  const clusters = createClusters(config.kubernetes);
  const known: Driver[] = [
    createLocalDriver({
      brought: { ...brought, httpUrl: config.workerUrl ?? address.loopback },
      dataDir: config.dataDir,
      network: { ...config.proxies, NODE_EXTRA_CA_CERTS: config.extraAuthorities },
      log: log('local'),
      hide: [dirname(config.masterKeyFile)],
      ...(config.path === undefined ? {} : { path: config.path }),
    }),
    createDockerDriver({ brought, log: log('docker'), env: config.proxies }),
    createKubernetesDriver({
      ...{ brought, clusters, workerImage: config.kubernetes.workerImage },
      jobTemplateFile: config.kubernetes.jobTemplate ?? files.jobTemplateFile,
      log: log('kubernetes'),
    }),
    createSshDriver({
      brought,
      env: { PATH: config.path, HOME: homedir(), USER: userInfo().username, LOGNAME: userInfo().username },
      runtimeDir: socketFolder(config.dataDir),
    }),
    createE2bDriver({ brought, log: log('e2b'), env: config.proxies }),
    createDaytonaDriver({ brought, log: log('daytona') }),
  ];
  return {
    offered: known.filter(({ name }) => config.drivers.includes(name)),
    brought: { programs: brought.programs, nodeFile: brought.nodeFile, treeProgram: WORKER },
    clusterReach: config.demo
      ? createSampleCluster()
      : createClusterReach({ clusters, instanceId: f.instanceId, log: log('cluster view') }),
    workerSocketDir: brought.socketDir,
    async close() {
      try {
        await Promise.all(known.map((driver) => driver[Symbol.asyncDispose]()));
      } finally {
        clusters.close();
      }
    },
  };
}
