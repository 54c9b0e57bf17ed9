import { HangarError, type KubernetesSettings, type Resources } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Brought } from '../../../port/brought.ts';
import type { Program } from '../../../port/unit.ts';
import type { Clusters, Connection } from '../api/connect.ts';
import type { Starts } from '../exec/starts.ts';
import type { PodFiles } from './files.ts';
import type { JobTemplate } from './job-template.ts';
import type { createPodWatches } from './pods.ts';

export interface KubernetesParts {
  readonly clusters: Clusters;
  readonly watches: ReturnType<typeof createPodWatches>;
  readonly files: PodFiles;
  readonly brought: Brought;
  /** The image of HANGAR_WORKER_IMAGE: brings Node, and is the image of units that name none. */
  readonly workerImage: string;
  /** Units that this process is in the middle of making. */
  readonly launching: Map<string, Promise<void>>;
  readonly starts: Starts;
  readonly log: Logger;
}

export interface KubernetesProfile {
  readonly settings: KubernetesSettings;
  readonly template: JobTemplate;
  readonly limits: { cpus?: number | undefined; memoryBytes?: number | undefined };
}

/** The cluster and namespace of a profile, ready to be asked. */
export interface Place {
  readonly connection: Connection;
  readonly namespace: string;
}

export interface Unit {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly image: string;
  readonly program: Program;
  readonly resources: Resources;
  /** From when it runs. */
  readonly ownSeconds: number | null;
  /** From when its Job is made. */
  readonly deadlineSeconds: number | null;
}

/** How pods reach this server. @throws HangarError launch_failed when they cannot */
export function serverUrl(settings: KubernetesSettings, brought: Pick<Brought, 'httpUrl'>): string {
  const url = (settings.serverUrl ?? brought.httpUrl).replace(/\/+$/, '');
  if (!/^(localhost|127\..*|\[::1\]|0\.0\.0\.0)$/.test(new URL(url).hostname)) return url;
  throw new HangarError('launch_failed', {
    message: `Pods cannot reach this server at ${url}.`,
    wayOut: 'Set HANGAR_PUBLIC_URL, or serverUrl in the profile, to an address that pods of the cluster reach.',
  });
}
