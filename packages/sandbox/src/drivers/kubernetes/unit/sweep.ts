import { z } from 'zod';
import type { SweepReport, UnitKey } from '../../../port/unit.ts';
import { type ClusterApi, unless } from '../api/api.ts';
import { LABEL, unitOf } from './labels.ts';

/** A probe that is younger may be at work. Clocks of two machines may differ. */
const YOUNG_MS = 10 * 60_000;
/** Files of another version: a server of that version may be launching with them during an upgrade. */
const FILES_AGE_MS = 24 * 3600_000;

const Listed = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z
    .array(
      z.object({
        metadata: z.object({
          name: z.string(),
          creationTimestamp: z.string().catch(''),
          labels: z.record(z.string(), z.string()).catch({}),
        }),
      }),
    )
    .nullish(),
});
type Found = NonNullable<z.infer<typeof Listed>['items']>[number]['metadata'];

interface Parts {
  readonly here: { readonly namespace: string; readonly connection: { readonly api: Pick<ClusterApi, 'json'> } };
  readonly instanceId: string;
  /** Name of the files that this server launches with. */
  readonly current: string;
  readonly isLaunching: (name: string) => boolean;
  readonly removeUnit: (name: string) => Promise<void>;
  readonly isOwned: (key: UnitKey) => Promise<boolean>;
  readonly signal: AbortSignal;
}

/** Units nobody owns, probes of a server that died, files of older versions. Secrets go with their jobs. */
export async function sweepNamespace(parts: Parts): Promise<SweepReport> {
  const { here, signal } = parts;
  const { api } = here.connection;
  const core = `/api/v1/namespaces/${here.namespace}`;
  const removed: string[] = [];
  let kept = 0;

  async function* all(path: string): AsyncGenerator<Found> {
    let next: string | undefined;
    do {
      const query = { labelSelector: `${LABEL.instance}=${parts.instanceId}`, limit: '500', continue: next };
      const page = Listed.parse(await api.json('GET', path, { query, signal, deadlineMs: 60_000 }));
      for (const { metadata } of page.items ?? []) yield metadata;
      next = page.metadata.continue || undefined;
    } while (next !== undefined);
  }
  const ageMs = ({ creationTimestamp }: Found) => Math.abs(Date.now() - (Date.parse(creationTimestamp) || 0));

  // A pod that waits for a node mounts them only when it gets one, which may be long after a server of another version began.
  const inUse = new Set<string | undefined>();
  for await (const job of all(`/apis/batch/v1/namespaces/${here.namespace}/jobs`)) {
    signal.throwIfAborted();
    const key = unitOf(job.labels);
    const keep = key ? parts.isLaunching(job.name) || (await parts.isOwned(key)) : ageMs(job) < YOUNG_MS;
    if (keep) {
      kept += 1;
      inUse.add(job.labels[LABEL.files]);
      continue;
    }
    await parts.removeUnit(job.name);
    removed.push(`job ${here.namespace}/${job.name}`);
  }
  for await (const files of all(`${core}/configmaps`)) {
    if (files.name === parts.current || inUse.has(files.name) || ageMs(files) < FILES_AGE_MS) continue;
    await unless(404, api.json('DELETE', `${core}/configmaps/${files.name}`, { signal }));
    removed.push(`configmap ${here.namespace}/${files.name}`);
  }
  return { removed, kept };
}
