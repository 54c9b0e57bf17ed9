import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { HangarError } from '@hangar/contract';
import type { SettingsStore } from '../database/index.ts';
import { type MasterKey, makeKeyFile, readKeyFile, readKeyFileNow } from './key-file.ts';
import { type Binding, type SealedColumn, sealedSetting, settingBinding } from './sealed-column.ts';
import { Secret } from './secret.ts';

/** Encryption at rest: AES-256-GCM, `v1.<key id>.<iv>.<ciphertext and tag>`, bound to its row. */
export interface Secrets {
  seal(plain: Uint8Array | string, binding: Binding): string;
  /** @throws HangarError master_key_wrong (no such key), internal (changed, or of another row) */
  open(sealed: string, binding: Binding): Secret;
  /** Sealed anew with the active key; null when it already is. Once no row has the old key, its line may go. */
  reseal(sealed: string, binding: Binding): string | null;
  /** The id of the key that new values are sealed with. */
  activeKeyId(): string;
}

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const CANARY = 'secrets.canary';
const CANARY_BINDING: Binding = settingBinding(CANARY);
export const CANARY_COLUMN: SealedColumn = sealedSetting(CANARY);
/** A new key in the file is used this soon, by servers that run. */
export const REREAD_MS = 1_000;

/**
 * Reads the keys and proves them against this database. A database without secrets gets a key file made for it,
 * unless `generate` is false.
 * @throws HangarError master_key_wrong, config_invalid
 */
export async function openSecrets(o: {
  keyFile: string;
  generate: boolean;
  settings: SettingsStore;
}): Promise<Secrets> {
  const known = await o.settings.get(CANARY);
  let keys = await readKeyFile(o.keyFile);
  if (!keys && known === undefined && o.generate) {
    await makeKeyFile(o.keyFile);
    keys = await readKeyFile(o.keyFile);
  }
  if (!keys) throw new HangarError('master_key_wrong', { message: `The master key file ${o.keyFile} is not there.` });
  const secrets = secretsWith(keys, o.keyFile);
  const canary = known ?? (await o.settings.getOrSet(CANARY, secrets.seal('canary', CANARY_BINDING)));
  const resealed = prove(secrets, canary);
  if (resealed !== null) await o.settings.set(CANARY, resealed);
  return secrets;
}

/** A secret of this installation that all its servers share, made when nobody has yet. Its column is `sealedSetting(key)`. */
export async function sealedValue(
  { settings, secrets }: { readonly settings: SettingsStore; readonly secrets: Secrets },
  key: string,
  make: () => string,
): Promise<string> {
  const binding = settingBinding(key);
  return secrets.open(String(await settings.getOrSet(key, secrets.seal(make(), binding))), binding).reveal();
}

function prove(secrets: Secrets, canary: unknown): string | null {
  try {
    secrets.open(String(canary), CANARY_BINDING);
    return secrets.reseal(String(canary), CANARY_BINDING);
  } catch (cause) {
    throw new HangarError('master_key_wrong', { cause });
  }
}

function secretsWith(keys: readonly MasterKey[], keyFile: string): Secrets {
  const [first] = keys;
  if (!first) throw new HangarError('master_key_wrong');
  let active = first;
  // A key that was known is not forgotten: what was read with it before may still be in memory.
  const byId = new Map(keys.map((key) => [key.id, key.key]));
  let lookedAt = performance.now();
  let version = versionOf(keyFile);

  /** The key is changed while servers run. A file that cannot be read just now changes nothing. */
  function look(): void {
    lookedAt = performance.now();
    const now = versionOf(keyFile);
    if (now === null || now === version) return;
    try {
      const fresh = readKeyFileNow(keyFile);
      for (const { id, key } of fresh) byId.set(id, key);
      active = fresh[0] ?? active;
      version = now;
    } catch {
      // Read again next time.
    }
  }

  function keyOf(id: string): Buffer | undefined {
    if (!byId.has(id)) look();
    return byId.get(id);
  }

  function seal(plain: Uint8Array | string, binding: Binding): string {
    if (performance.now() - lookedAt > REREAD_MS) look();
    const { id, key } = active;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
    cipher.setAAD(aad(id, binding));
    const body = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    return ['v1', id, iv.toString('base64url'), body.toString('base64url')].join('.');
  }

  function open(sealed: string, binding: Binding): Secret {
    const [version, keyId = '', iv = '', body = '', ...rest] = sealed.split('.');
    if (version !== 'v1' || rest.length > 0) throw unreadable(binding);
    const key = keyOf(keyId);
    if (!key) {
      throw new HangarError('master_key_wrong', {
        message: `A secret of this database was sealed with the master key ${keyId.slice(0, 20)}, which is not in the key file.`,
      });
    }
    try {
      const bytes = Buffer.from(body, 'base64url');
      const decipher = createDecipheriv(CIPHER, key, Buffer.from(iv, 'base64url'), { authTagLength: TAG_BYTES });
      decipher.setAAD(aad(keyId, binding));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      const plain = Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]);
      return new Secret(plain.toString('utf8'));
    } catch (cause) {
      throw unreadable(binding, cause);
    }
  }

  return {
    seal,
    open,
    activeKeyId: () => active.id,
    reseal(sealed, binding) {
      if (sealed.split('.')[1] === active.id) return null;
      return seal(open(sealed, binding).reveal(), binding);
    },
  };
}

/** What changes when the file does; null when it cannot be looked at. */
function versionOf(file: string): string | null {
  try {
    const { ino, mtimeNs, size } = statSync(file, { bigint: true });
    return `${ino} ${mtimeNs} ${size}`;
  } catch {
    return null;
  }
}

function aad(keyId: string, binding: Binding): Buffer {
  return Buffer.from(
    `v1.${keyId}.${JSON.stringify([binding.table, binding.owner, binding.row, binding.field])}`,
    'utf8',
  );
}

function unreadable(binding: Binding, cause?: unknown): HangarError {
  return new HangarError('internal', {
    message: `The secret ${binding.field} of ${binding.table} ${binding.row} was changed or belongs to another row.`,
    cause,
  });
}
