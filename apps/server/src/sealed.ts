import { sealedSigningKeys } from './features/access/index.ts';
import { sealedCredentials } from './features/credentials/index.ts';
import { sealedEnvironments, WORKER_TOKEN_KEY } from './features/jobs/index.ts';
import { sealedExecutionOrders, sealedSandboxEnvironments } from './features/sandboxes/index.ts';
import { type SealedColumn, sealedSetting } from './platform/secrets/index.ts';

/** Everything that is sealed with the master key. What is not named here could not be read after a change of it. */
export const SEALED: readonly SealedColumn[] = [
  sealedCredentials,
  sealedEnvironments,
  sealedExecutionOrders,
  sealedSandboxEnvironments,
  sealedSigningKeys,
  sealedSetting(WORKER_TOKEN_KEY),
];
