import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { HangarError } from '@hangar/contract';

export interface MasterKey {
  readonly id: string;
  readonly key: Buffer;
}

const KEY_BYTES = 32;
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
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(fresh, 'wx', 0o600);
    try {
      await handle.writeFile(`${HEAD}k1:${randomBytes(KEY_BYTES).toString('base64')}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(fresh, 0o600);
    // A link fails where a rename would replace a key that secrets may already be sealed with.
    await link(fresh, file);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return;
    throw unusable(file, cause instanceof Error ? cause.message : String(cause), cause);
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
