import { HangarError } from '@hangar/contract/errors';

const SERVICE = 'hangar';
/** A person may have to unlock the keychain in a window; a machine without one fails at once. */
const PROMPT_MS = 30_000;

/** Secrets in the keychain of the operating system. */
export interface Keychain {
  read(account: string): Promise<string | null>;
  write(account: string, secret: string): Promise<void>;
  remove(account: string): Promise<void>;
}

/**
 * The keychain of this machine, or null where there is none that works: proved by writing, reading and removing a random entry,
 * because without a session bus reading just finds nothing. On Linux only the secret service: the kernel's keyring forgets.
 */
export async function openKeychain(): Promise<Keychain | null> {
  const keychain = await load();
  if (keychain === null) return null;
  const { randomBytes } = await import('node:crypto');
  const account = `probe-${randomBytes(8).toString('hex')}`;
  try {
    await keychain.write(account, account);
    const found = await keychain.read(account);
    await keychain.remove(account);
    return found === account ? keychain : null;
  } catch {
    return null;
  }
}

/** The keychain without a proof, for an entry that is known to be there. */
export async function load(): Promise<Keychain | null> {
  let AsyncEntry: typeof import('@napi-rs/keyring').AsyncEntry;
  try {
    ({ AsyncEntry } = await import('@napi-rs/keyring'));
  } catch {
    return null;
  }
  const entry = (account: string) =>
    new AsyncEntry(SERVICE, account, process.platform === 'linux' ? { linux: { store: 'secret-service' } } : undefined);
  return {
    read: (account) => inTime((signal) => entry(account).getPassword(signal)),
    write: (account, secret) => inTime((signal) => entry(account).setPassword(secret, signal)),
    remove: (account) => inTime(async (signal) => void (await entry(account).deleteCredential(signal))),
  };
}

/** The native call cannot be taken back once it runs, so the deadline is kept here as well. */
async function inTime<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(PROMPT_MS);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () =>
      reject(new HangarError('keychain_failed', { message: 'The keychain did not answer in 30 s.' })),
    );
  });
  // The call may throw before anybody waits for this.
  late.catch(() => undefined);
  try {
    return await Promise.race([call(signal), late]);
  } catch (error) {
    if (error instanceof HangarError) throw error;
    throw new HangarError('keychain_failed', {
      message: `The keychain refused: ${error instanceof Error ? error.message : String(error)}`,
      cause: error,
    });
  }
}
