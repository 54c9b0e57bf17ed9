import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { HangarError } from '@hangar/contract';

export interface MasterKey {
  readonly id: string;
  readonly key: Buffer;
}

export const KEY_BYTES = 32;
const LINE = /^([a-z0-9]{1,20}):([A-Za-z0-9+/]{43}=)$/;
const HEAD = '# Master key of a Hangar server. Without it the secrets in its database cannot be read: keep a copy.\n';

/** The keys of a file, one `id:base64` a line, the first is active; null when there is no such file. */
export async function readKeyFile(file: string): Promise<MasterKey[] | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw unusable(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
  return parse(file, text);
}

/** The same while something waits that cannot. */
export const readKeyFileNow = (file: string): MasterKey[] => parse(file, readFileSync(file, 'utf8'));

function parse(file: string, text: string): MasterKey[] {
  const keys: MasterKey[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const match = LINE.exec(line);
    if (!match?.[1] || !match[2]) throw unusable(file, `line ${index + 1} is not an id and 32 bytes of base64`);
    keys.push({ id: match[1], key: Buffer.from(match[2], 'base64') });
  }
  if (keys.length === 0) throw unusable(file, 'there is no key in it');
  if (new Set(keys.map((key) => key.id)).size < keys.length) throw unusable(file, 'two keys have the same id');
  return keys;
}

/** Makes a key file with one fresh key, readable by its owner only. When another process was faster, its file stays. */
export async function makeKeyFile(file: string): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    // A link fails where a rename would replace a key that secrets may already be sealed with.
    await written(file, [{ id: 'k1', key: randomBytes(KEY_BYTES) }], (fresh) => link(fresh, file));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return;
    throw unusable(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Replaces the keys of a file at once: whoever reads it has the old ones or the new ones, whatever is cut off. */
export async function writeKeyFile(file: string, keys: readonly MasterKey[]): Promise<void> {
  try {
    await written(file, keys, (fresh) => rename(fresh, file));
    const folder = await open(path.dirname(file), 'r');
    await folder.sync().finally(() => folder.close());
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HangarError('config_invalid', {
      message: `The master key file ${file} cannot be written: ${reason}.`,
      wayOut:
        'Where it is read-only, put a new key as its first line yourself, with the old one below, and run this again.',
      cause,
    });
  }
}

async function written(file: string, keys: readonly MasterKey[], put: (fresh: string) => Promise<void>): Promise<void> {
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    const handle = await open(fresh, 'wx', 0o600);
    try {
      const lines = keys.map(({ id, key }) => `${id}:${key.toString('base64')}\n`);
      await handle.writeFile(`${HEAD}${lines.join('')}`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(fresh, 0o600);
    await put(fresh);
  } finally {
    await rm(fresh, { force: true });
  }
}

function unusable(file: string, reason: string, cause?: unknown): HangarError {
  return new HangarError('config_invalid', {
    message: `The master key file ${file} cannot be used: ${reason}.`,
    wayOut: 'Correct the file, or set HANGAR_MASTER_KEY_FILE to the right one.',
    cause,
  });
}
