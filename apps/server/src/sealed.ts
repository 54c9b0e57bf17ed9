import { sealedSigningKeys } from './features/access/index.ts';
import { sealedCredentials } from './features/credentials/index.ts';
import { sealedEnvironments, WORKER_TOKEN_KEY } from './features/jobs/index.ts';
import { type SecretStore, secretBinding } from './features/profiles/index.ts';
import { sealedExecutionOrders, sealedExecutionTitles, sealedSandboxEnvironments } from './features/sandboxes/index.ts';
import { type SealedColumn, type SealedElsewhere, sealedSetting } from './platform/secrets/index.ts';

/** Everything that is sealed with the master key. What is not named here could not be read after a change of it. */
export const SEALED: readonly SealedColumn[] = [
  sealedCredentials,
  sealedEnvironments,
  sealedExecutionOrders,
  sealedExecutionTitles,
  sealedSandboxEnvironments,
  sealedSigningKeys,
  sealedSetting(WORKER_TOKEN_KEY),
];

type Query = (
  text: string,
  values: readonly unknown[],
) => Promise<{ readonly rows: readonly Record<string, unknown>[] }>;

/** What is sealed and lies outside of the database: in keychain, files or blobs. */
export const sealedElsewhere = (query: Query, store: SecretStore): readonly SealedElsewhere[] => [
  {
    what: 'secrets of profiles',
    names: async () =>
      (await query('select ref from profile_secret where gone_at is null order by ref', [])).rows.map(({ ref }) =>
        String(ref),
      ),
    get: store.get,
    put: store.put,
    bindingOf: secretBinding,
  },
];
