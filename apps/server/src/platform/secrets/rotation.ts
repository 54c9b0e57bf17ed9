import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import type { SettingsStore } from '../database/index.ts';
import { KEY_BYTES, type MasterKey, readKeyFile, writeKeyFile } from './key-file.ts';
import { countOld, type Query, type Resealed, reseal, resealElsewhere } from './reseal.ts';
import type { SealedColumn, SealedElsewhere } from './sealed-column.ts';
import { CANARY_COLUMN, openSecrets, REREAD_MS, type Secrets } from './secrets.ts';

export interface Rotated {
  readonly keyId: string;
  /** The new key is in the file and not used yet: other servers must have it before anything is sealed with it. */
  readonly prepared: boolean;
  readonly resealed: number;
  readonly unreadable: readonly string[];
  /** Keys that nothing is sealed with any more, taken out of the file. */
  readonly forgotten: readonly string[];
}

/** Servers that run go on sealing with the old key for a moment; looked at again until nothing is left. */
const MOST_ROUNDS = 10;

/**
 * Makes a new master key the active one and seals everything anew with it, beside servers that run. The file has old and new key from
 * before the first value is sealed with the new one, so that a cut at any moment leaves a server that reads everything; said again,
 * it goes on where it was cut off. The old key stays in the file, for backups; `forget` takes out what nothing is sealed with any more.
 */
export async function rotateMasterKey(o: {
  keyFile: string;
  settings: SettingsStore;
  query: Query;
  columns: readonly SealedColumn[];
  elsewhere?: readonly SealedElsewhere[];
  /** Other machines may have servers on this database, each with a copy of the file. */
  several: boolean;
  forget: boolean;
  say: (words: string) => void;
  signal: AbortSignal;
}): Promise<Rotated> {
  const open = () => openSecrets({ keyFile: o.keyFile, generate: false, settings: o.settings });
  // One that was cut off comes to its end before anything else.
  const before = await sealAll(o, await open());
  const keys = (await readKeyFile(o.keyFile)) ?? [];
  const [active, ...others] = keys;
  if (!active) throw new HangarError('master_key_wrong');
  const done = { ...before, keyId: active.id, prepared: false, forgotten: [] };
  if (o.forget) {
    await writeKeyFile(o.keyFile, [active]);
    return { ...done, forgotten: others.map(({ id }) => id) };
  }
  if (before.resealed > 0) return done;
  const waiting = others.find(({ id }) => numberOf(id) > numberOf(active.id));
  const next = waiting ?? freshKey(keys);
  if (o.several && !waiting) {
    await writeKeyFile(o.keyFile, [...keys, next]);
    return { ...done, keyId: next.id, prepared: true };
  }
  await writeKeyFile(o.keyFile, [next, ...keys.filter((key) => key !== waiting)]);
  return { ...done, keyId: next.id, ...(await sealAll(o, await open())) };
}

/** Seals with the active key until nothing is left that another one opens. */
async function sealAll(o: Parameters<typeof rotateMasterKey>[0], secrets: Secrets): Promise<Resealed> {
  const columns = [...o.columns, CANARY_COLUMN];
  let resealed = 0;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const done = await reseal(o.query, columns, { secrets, say: o.say, signal: o.signal });
    const away = await resealElsewhere(o.elsewhere ?? [], { secrets, signal: o.signal });
    resealed += done.resealed + away.resealed;
    const rest = (await countOld(o.query, columns, secrets.activeKeyId())) - done.unreadable.length;
    const unreadable = [...done.unreadable, ...away.unreadable];
    // What lies elsewhere is looked at once more when it was changed: a server may just have put another.
    if (rest <= 0 && (round > 0 || done.resealed === 0) && away.resealed === 0) return { resealed, unreadable };
    await sleep(2 * REREAD_MS, undefined, { signal: o.signal });
  }
  throw new HangarError('master_key_wrong', {
    message: 'Values are still sealed with the old key by a server that does not use the new one.',
    wayOut: 'Copy the key file to every server, then run again: hangar server rotate-key',
  });
}

/** Ids of ours count up: a key with a larger number than the active one waits to be used. */
const numberOf = (id: string): number => Number(/^k(\d+)$/.exec(id)?.[1] ?? 0);

function freshKey(keys: readonly MasterKey[]): MasterKey {
  const id = `k${Math.max(0, ...keys.map((key) => numberOf(key.id))) + 1}`;
  return { id, key: randomBytes(KEY_BYTES) };
}
