import { join } from 'node:path';
import type { Logger } from 'pino';
import { createClusters, createKubernetesDriver } from '../../apps/server/src/adapters/kubernetes/index.ts';
import type { JobDriver, WorkerAccess } from '../../apps/server/src/features/jobs/launch/launcher.ts';
import { ROOT } from '../e2e/server-process.ts';

export interface DriverOptions {
  readonly access: WorkerAccess;
  readonly kubeconfig: string;
  readonly workerImage: string;
}

/** The driver as compose makes it, from options that can be sent to another process. */
export function driverForTests(o: DriverOptions & { log: Logger }): JobDriver & AsyncDisposable {
  return createKubernetesDriver({
    ...{ access: o.access, workerImage: o.workerImage, log: o.log },
    jobTemplateFile: join(ROOT, 'deploy/k8s/job-template.yaml'),
    clusters: createClusters({ inCluster: null, kubeconfig: [o.kubeconfig], environment: {} }),
  });
}
