import { type Credential, HangarError, type NewCredential } from '@hangar/contract';
import { type Database, isUniqueViolation } from '../../platform/database/index.ts';
import { type Binding, newId, type SealedColumn, type Secret, type Secrets } from '../../platform/secrets/index.ts';
import { checkedKnownHosts, checkedValue } from './credential-value.ts';
import { type CredentialRow, storeFor } from './credentials-store.ts';

/** What git needs to sign in, for the time of one job. */
export interface OpenCredential {
  readonly kind: Credential['kind'];
  readonly host: string | null;
  readonly username: string | null;
  readonly value: Secret;
  readonly knownHosts: string | null;
}

/** Git credentials. The value goes in and comes out only for a job: no read shows it. */
export interface Credentials {
  list(userId: string): Promise<{ items: Credential[] }>;
  /** @throws HangarError credential_exists, validation_failed */
  create(userId: string, input: NewCredential): Promise<Credential>;
  /** @throws HangarError credential_not_found */
  remove(userId: string, name: string): Promise<void>;
  has(userId: string, name: string): Promise<boolean>;
  /** For a job that is about to run; counts as use. @throws HangarError credential_not_found, master_key_wrong */
  open(userId: string, name: string): Promise<OpenCredential>;
}

export function createCredentials({ database, secrets }: { database: Database; secrets: Secrets }): Credentials {
  const { db } = database;
  return {
    async list(userId) {
      return { items: (await storeFor(db, userId).list()).map(view) };
    },

    async create(userId, input) {
      const id = newId('cr');
      const value = checkedValue(input.kind, input.value);
      try {
        const row = await storeFor(db, userId).add({
          id,
          name: input.name,
          kind: input.kind,
          host: input.host?.toLowerCase() ?? null,
          username: input.username?.trim() || null,
          value: secrets.seal(value, binding(userId, id)),
          knownHosts: input.kind === 'ssh-key' ? checkedKnownHosts(input.knownHosts) : null,
        });
        if (row) return view(row);
      } catch (error) {
        if (!isUniqueViolation(error, 'credential_name_unique')) throw error;
      }
      throw new HangarError('credential_exists', { message: `There is already a credential ${input.name}.` });
    },

    async remove(userId, name) {
      if (!(await storeFor(db, userId).remove(name))) throw notFound(name);
    },

    has: async (userId, name) => (await storeFor(db, userId).get(name)) !== null,

    async open(userId, name) {
      const store = storeFor(db, userId);
      const row = await store.get(name);
      if (!row) throw notFound(name);
      const { kind, host, username, knownHosts } = row;
      const value = secrets.open(row.value, binding(row.userId, row.id));
      await store.used(name);
      return { kind, host, username, value, knownHosts };
    },
  };
}

const binding = (owner: string, row: string): Binding => ({ table: 'credential', owner, row, field: 'value' });

export const sealedCredentials: SealedColumn = {
  ...{ table: 'credential', id: 'id', owner: 'user_id', column: 'value' },
  bindingOf: ({ owner, id }) => binding(owner, id),
};

const notFound = (name: string) =>
  new HangarError('credential_not_found', { message: `There is no credential ${name}.` });

function view(row: CredentialRow): Credential {
  const { name, kind, host, username, createdAt, lastUsedAt } = row;
  return {
    name,
    kind,
    host,
    username,
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
  };
}
