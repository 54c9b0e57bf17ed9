import { join } from 'node:path';
import type { Logger } from 'pino';
import { createClusters, createKubernetesDriver } from '../../packages/sandbox/src/drivers/kubernetes/index.ts';
import type { Brought, Driver } from '../../packages/sandbox/src/index.ts';
import { ROOT } from '../e2e/server-process.ts';

export interface DriverOptions {
  readonly brought: Brought;
  readonly kubeconfig: string;
  readonly workerImage: string;
}

/** The driver as compose makes it, from options that can be sent to another process. */
export function driverForTests(o: DriverOptions & { log: Logger }): Driver {
  return createKubernetesDriver({
    ...{ brought: o.brought, workerImage: o.workerImage, log: o.log },
    jobTemplateFile: join(ROOT, 'deploy/k8s/job-template.yaml'),
    clusters: createClusters({ inCluster: null, kubeconfig: [o.kubeconfig], environment: {} }),
  });
}
