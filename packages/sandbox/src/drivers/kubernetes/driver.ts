import { readFileSync } from 'node:fs';
import { HangarError, KubernetesSettings, type UnitCapabilities } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Brought } from '../../port/brought.ts';
import type { Driver } from '../../port/driver.ts';
import type { Clusters } from './api/connect.ts';
import { asHangarError } from './api/errors.ts';
import { createStarts } from './exec/starts.ts';
import { createPodFiles } from './unit/files.ts';
import { type JobTemplate, parseTemplate } from './unit/job-template.ts';
import type { KubernetesParts } from './unit/parts.ts';
import { createPodWatches } from './unit/pods.ts';
import { createKubernetesReach } from './unit/units.ts';

export interface KubernetesDriverOptions {
  readonly brought: Brought;
  readonly clusters: Clusters;
  /** Read once, when the driver is made. */
  readonly jobTemplateFile: string;
  readonly workerImage: string;
  readonly log: Logger;
}

export const UNITS: UnitCapabilities = {
  ...{ image: true, cpus: true, memory: true, pids: false, isolation: 'container', pause: false },
};

const Version = z.object({ gitVersion: z.string() });

/**
 * Units as Jobs of a Kubernetes cluster.
 * @throws HangarError job_template_invalid when the file is none
 */
export function createKubernetesDriver(o: KubernetesDriverOptions): Driver {
  const { brought, clusters, workerImage, log } = o;
  const template = readTemplate(o.jobTemplateFile);
  const watches = createPodWatches({ instanceId: brought.instanceId, log });
  const files = createPodFiles(brought);
  const parts: KubernetesParts = {
    ...{ clusters, watches, files, brought, workerImage, log },
    ...{ launching: new Map(), starts: createStarts() },
  };

  return {
    name: 'kubernetes',

    async describe({ signal }) {
      const { available, detail } = await found(signal);
      return {
        ...{ name: 'kubernetes', title: 'Kubernetes', available, detail },
        settingsSchema: z.toJSONSchema(KubernetesSettings, { io: 'input' }),
        capabilities: UNITS,
      };
    },

    forProfile({ name, settings, limits }) {
      const parsed = KubernetesSettings.safeParse(settings);
      if (!parsed.success) {
        throw new HangarError('validation_failed', {
          message: `The settings of profile ${name} are not those of the kubernetes driver.`,
          details: { issues: parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })) },
        });
      }
      const own = parsed.data.template === undefined ? template : parseTemplate(parsed.data.template);
      return createKubernetesReach(parts, { settings: parsed.data, template: own, limits });
    },

    [Symbol.asyncDispose]: () => watches.close(),
  };

  async function found(signal: AbortSignal): Promise<{ available: boolean; detail: string }> {
    try {
      const { api, context, namespace } = await clusters.connect();
      const { gitVersion } = Version.parse(await api.json('GET', '/version', { signal, deadlineMs: 5_000 }));
      const contexts = (await clusters.contexts()).map(({ name }) => name);
      const others = contexts.length > 1 ? ` Contexts: ${contexts.join(', ')}.` : '';
      const how = context === null ? 'Its own cluster' : `Context ${context}`;
      return { available: true, detail: `${how}, Kubernetes ${gitVersion}, namespace ${namespace}.${others}` };
    } catch (error) {
      signal.throwIfAborted();
      log.debug({ err: error }, 'no Kubernetes cluster');
      const mapped = asHangarError(error, { doing: 'asking its version', namespace: '' });
      if (!(mapped instanceof HangarError)) return { available: false, detail: 'The cluster cannot be reached.' };
      return { available: false, detail: `${mapped.message} ${mapped.wayOut}` };
    }
  }
}

function readTemplate(file: string): JobTemplate {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HangarError('job_template_invalid', {
      message: `The job template ${file} cannot be read.`,
      wayOut: 'Set HANGAR_JOB_TEMPLATE to a file that this server may read.',
      cause,
    });
  }
  return parseTemplate(text);
}
