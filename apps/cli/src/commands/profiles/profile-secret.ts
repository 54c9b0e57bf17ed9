import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type DriverName, secretsOf } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';
import type { GlobalFlags } from '../../command.ts';
import { askSecret } from '../../terminal/ask.ts';

const MOST_BYTES = 64 * 1024;

/** The option that brings the secret of a driver: its value is in no argument. */
export const keyFlag = {
  key: {
    kind: 'parsed',
    parse: String,
    optional: true,
    brief: 'File with the private key or API key; - reads standard input, or asks',
    placeholder: 'FILE',
  },
} as const;

/**
 * The secret settings of a driver, with what `--key` names. Others must not come by `--set`: anybody on the machine can read arguments.
 * @throws HangarError usage, input_required
 */
export async function secretSettings(
  cli: Cli,
  flags: GlobalFlags & { readonly key?: string | undefined },
  driver: DriverName,
  set: Readonly<Record<string, unknown>>,
): Promise<Record<string, string>> {
  const names = secretsOf(driver);
  const given = names.find((name) => name in set);
  if (given !== undefined)
    throw new HangarError('usage', {
      message: `${given} is secret, and others can read the arguments of a command.`,
      wayOut: 'Name a file: --key FILE, or send it in: --key - < FILE',
    });
  if (flags.key === undefined) return {};
  const [name] = names;
  if (name === undefined)
    throw new HangarError('usage', {
      message: `The driver ${driver} takes no key.`,
      wayOut: 'Leave out --key. See: hangar profiles drivers',
    });
  const text =
    flags.key === '-'
      ? await askSecret(cli, flags, driver === 'ssh' ? 'Private key' : 'API key', MOST_BYTES)
      : await readSecret(cli, flags.key);
  return { [name]: driver === 'ssh' ? privateKey(text) : text.trim() };
}

/** A file with a secret. @throws HangarError usage */
export async function readSecret(cli: Cli, file: string): Promise<string> {
  const path = resolve(cli.settings.cwd, file);
  try {
    if ((await stat(path)).size > MOST_BYTES)
      throw new HangarError('usage', { message: `${file} is larger than any key.`, wayOut: 'Check the path.' });
    const text = await readFile(path, 'utf8');
    if (text.trim() !== '') return text;
    throw new HangarError('usage', { message: `${file} is empty.`, wayOut: 'Check the path.' });
  } catch (error) {
    if (error instanceof HangarError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new HangarError('usage', {
      message: `The key ${file} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : message}.`,
      wayOut: 'Check the path after --key.',
      cause: error,
    });
  }
}

/** As ssh wants it. @throws HangarError usage, without any of it */
export function privateKey(text: string): string {
  const refuse = (message: string, wayOut: string) => new HangarError('usage', { message, wayOut });
  const key = text.replaceAll('\r\n', '\n').trim();
  if (/^(ssh|ecdsa|sk)-\S+ /.test(key)) throw refuse('That is a public key.', 'Name the file beside it, without .pub.');
  if (!/^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\n/.test(key))
    throw refuse('That is no private key in PEM or OpenSSH format.', 'Make one: ssh-keygen -t ed25519 -N "" -f FILE');
  if (isEncrypted(key))
    throw refuse(
      'The key has a passphrase, which nobody could type on the server.',
      'Make one for this alone: ssh-keygen -t ed25519 -N "" -f FILE',
    );
  return `${key}\n`;
}

function isEncrypted(key: string): boolean {
  if (/^(Proc-Type: .*ENCRYPTED|-----BEGIN ENCRYPTED )/m.test(key)) return true;
  const body = /^-----BEGIN OPENSSH PRIVATE KEY-----\n([\s\S]*?)\n-----END/.exec(key)?.[1];
  if (body === undefined) return false;
  const bytes = Buffer.from(body.replaceAll('\n', ''), 'base64');
  // "openssh-key-v1", a zero, then the name of the cipher with its length before it.
  const at = 15;
  const cipher =
    bytes.length < at + 4 ? '' : bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at)).toString('latin1');
  return cipher !== 'none';
}
