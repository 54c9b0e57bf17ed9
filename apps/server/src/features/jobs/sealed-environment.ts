import type { Binding, SealedColumn } from '../../platform/secrets/index.ts';

/** What the environment of a job is bound to. */
export const environmentBinding = (jobId: string): Binding => ({
  table: 'job',
  owner: 'job',
  row: jobId,
  field: 'env',
});

export const sealedEnvironments: SealedColumn = {
  ...{ table: 'job_order', id: 'job_id', column: 'env_sealed' },
  bindingOf: ({ id }) => environmentBinding(id),
};
