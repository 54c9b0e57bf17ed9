import type { Binding, SealedColumn, Secrets } from '../../platform/secrets/index.ts';
import type { Sealing } from './needs.ts';

const ofSandbox = (row: string): Binding => ({ table: 'sandbox', owner: 'sandbox', row, field: 'env' });
const ofExecution = (row: string): Binding => ({ table: 'execution', owner: 'execution', row, field: 'order' });
const ofTitle = (row: string): Binding => ({ table: 'execution', owner: 'execution', row, field: 'title' });

export const sealedSandboxEnvironments: SealedColumn = {
  ...{ table: 'sandbox_order', id: 'sandbox_id', column: 'env_sealed' },
  bindingOf: ({ id }) => ofSandbox(id),
};
export const sealedExecutionOrders: SealedColumn = {
  ...{ table: 'execution_order', id: 'execution_id', column: 'order_sealed' },
  bindingOf: ({ id }) => ofExecution(id),
};
export const sealedExecutionTitles: SealedColumn = {
  ...{ table: 'execution', id: 'id', column: 'title_sealed' },
  bindingOf: ({ id }) => ofTitle(id),
};

export const sealingOf = (secrets: Secrets): Sealing => ({
  sealEnvironment: (id, plain) => secrets.seal(plain, ofSandbox(id)),
  openEnvironment: (id, sealed) => secrets.open(sealed, ofSandbox(id)).reveal(),
  sealOrder: (id, plain) => secrets.seal(plain, ofExecution(id)),
  openOrder: (id, sealed) => secrets.open(sealed, ofExecution(id)).reveal(),
  sealTitle: (id, plain) => secrets.seal(plain, ofTitle(id)),
  openTitle(id, sealed) {
    try {
      return secrets.open(sealed, ofTitle(id)).reveal();
    } catch {
      // Sealed with a key that is not there any more: a list is worth more than the title of one in it.
      return '…';
    }
  },
});
