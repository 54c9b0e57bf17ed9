import { expect, it } from 'vitest';
import { LABEL, unitLabels } from './labels.ts';
import { sweepNamespace } from './sweep.ts';

it('files of an older version stay while a job that is owned may still mount them', async () => {
  const old = new Date(Date.now() - 48 * 3600_000).toISOString();
  const unit = (id: string, files: string) => ({
    metadata: {
      name: `hangar-${id}`,
      creationTimestamp: old,
      labels: { ...unitLabels('i_1', { id, attempt: 1 }, { kind: 'hold' }), [LABEL.files]: files },
    },
  });
  const lists: Record<string, object[]> = {
    jobs: [unit('j_waits', 'files-1'), unit('j_gone', 'files-2')],
    configmaps: ['files-1', 'files-2', 'files-3'].map((name) => ({
      metadata: { name, creationTimestamp: old, labels: {} },
    })),
  };
  const deleted: string[] = [];
  const api = {
    async json(method: string, path: string) {
      if (method === 'DELETE') deleted.push(path);
      return { metadata: {}, items: lists[path.split('/').at(-1) ?? ''] };
    },
  };
  const report = await sweepNamespace({
    here: { namespace: 'jobs', connection: { api } },
    ...{ instanceId: 'i_1', current: 'files-3', isLaunching: () => false },
    removeUnit: async (name) => void deleted.push(name),
    isOwned: async ({ id }) => id === 'j_waits',
    signal: AbortSignal.timeout(5_000),
  });
  expect(deleted).toEqual(['hangar-j_gone', '/api/v1/namespaces/jobs/configmaps/files-2']);
  expect(report.kept).toBe(1);
});
