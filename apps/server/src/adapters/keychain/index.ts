import { randomBytes } from 'node:crypto';
import { HangarError } from '@hangar/contract';
import type { SecretStore } from '../../features/profiles/index.ts';

const SERVICE = 'hangar-server';
/** A person may have to unlock it in a window. */
const PROMPT_MS = 30_000;
/** As long as the longest secrets of a profile, sealed: some keychains take less. */
const PROBE_BYTES = 32 * 1024;

/** Entries of the keychain of an operating system. */
export interface KeychainEntries {
  read(account: string, signal: AbortSignal): Promise<string | undefined | null>;
  write(account: string, secret: string, signal: AbortSignal): Promise<void>;
  remove(account: string, signal: AbortSignal): Promise<unknown>;
}

/** Null where the library has no build for this machine. On Linux only the secret service: the kernel's keyring forgets. */
export async function systemKeychain(): Promise<KeychainEntries | null> {
  let AsyncEntry: typeof import('@napi-rs/keyring').AsyncEntry;
  try {
    ({ AsyncEntry } = await import('@napi-rs/keyring'));
  } catch {
    return null;
  }
  const store = process.platform === 'linux' ? { linux: { store: 'secret-service' as const } } : undefined;
  const entry = (account: string) => new AsyncEntry(SERVICE, account, store);
  return {
    read: (account, signal) => entry(account).getPassword(signal),
    write: (account, secret, signal) => entry(account).setPassword(secret, signal),
    remove: (account, signal) => entry(account).deleteCredential(signal),
  };
}

/** Whether it keeps what it is given: without a session reading finds nothing and says nothing of it. */
export async function keychainWorks(entries: KeychainEntries): Promise<boolean> {
  const account = `probe-${randomBytes(8).toString('hex')}`;
  const value = randomBytes(PROBE_BYTES / 2).toString('hex');
  try {
    await inTime((signal) => entries.write(account, value, signal));
    const found = await inTime((signal) => entries.read(account, signal));
    await inTime((signal) => entries.remove(account, signal));
    return found === value;
  } catch {
    return false;
  }
}

/** Secrets in the keychain, for one data directory: `namespace` tells its entries from those of others of the same account. */
export const secretsInKeychain = (entries: KeychainEntries, namespace: string): SecretStore => {
  const account = (ref: string) => `${namespace}/${ref}`;
  return {
    put: (ref, sealed) => inTime((signal) => entries.write(account(ref), sealed, signal)),
    get: async (ref) => (await inTime((signal) => entries.read(account(ref), signal))) ?? null,
    async remove(ref) {
      // Some keychains refuse to remove what is not there.
      const found = await inTime((signal) => entries.read(account(ref), signal));
      if (found) await inTime((signal) => entries.remove(account(ref), signal));
    },
  };
};

/** The native call cannot be taken back once it runs, so the deadline is kept here as well. */
async function inTime<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(PROMPT_MS);
  const late = Promise.withResolvers<never>();
  const onAbort = () => late.reject(refused('it did not answer in 30 s'));
  signal.addEventListener('abort', onAbort);
  // The call may throw before anybody waits for this.
  late.promise.catch(() => undefined);
  try {
    return await Promise.race([call(signal), late.promise]);
  } catch (error) {
    if (error instanceof HangarError) throw error;
    throw refused(error instanceof Error ? error.message : String(error), error);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

const refused = (why: string, cause?: unknown): HangarError =>
  new HangarError('keychain_failed', {
    message: `The keychain of the server, which has the secrets of profiles, refused: ${why}.`,
    wayOut: 'Sign in to the desktop of the server and unlock the keychain, then try again.',
    cause,
  });
