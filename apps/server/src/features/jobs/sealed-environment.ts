import type { Binding, SealedColumn, Secrets } from '../../platform/secrets/index.ts';
import type { Environment } from './needs.ts';

const binding = (jobId: string): Binding => ({ table: 'job', owner: 'job', row: jobId, field: 'env' });

export const sealedEnvironments: SealedColumn = {
  ...{ table: 'job_order', id: 'job_id', column: 'env_sealed' },
  bindingOf: ({ id }) => binding(id),
};

export const environmentOf = (secrets: Secrets): Environment => ({
  seal: (jobId, plain) => secrets.seal(plain, binding(jobId)),
  open: (jobId, sealed) => secrets.open(sealed, binding(jobId)).reveal(),
});
