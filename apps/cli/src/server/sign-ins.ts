import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import type { Settings } from '../settings.ts';
import type { Keychain } from './keychain.ts';

export interface Tokens {
  readonly kind: 'device' | 'apiKey';
  readonly accessToken: string;
  readonly refreshToken?: string;
  /** RFC 3339; absent for API keys. */
  readonly expiresAt?: string;
}

export type Storage = 'keychain' | 'file';

/** A server somebody signed in to. No secret in here. */
export interface SignIn {
  readonly storage: Storage;
  readonly kind: Tokens['kind'];
  readonly user: string;
  readonly since: string;
}

interface Servers {
  /** The server of the last sign-in. */
  default: string | null;
  servers: Record<string, SignIn>;
}

/** Who is signed in where, and the tokens for it: in the keychain where there is one, else in a file only this user can read. */
export interface SignIns {
  defaultServer(): Promise<string | null>;
  list(): Promise<{ server: string; isDefault: boolean; signIn: SignIn }[]>;
  find(server: string): Promise<SignIn | null>;
  tokens(server: string): Promise<Tokens | null>;
  /** Keeps a new sign-in and makes its server the default. Answers where the tokens went. */
  add(server: string, user: string, tokens: Tokens, storage?: Storage): Promise<Storage>;
  /** Replaces the tokens of a sign-in, where they are kept. */
  renew(server: string, tokens: Tokens): Promise<void>;
  remove(server: string): Promise<void>;
  /** The file tokens are in when there is no keychain. */
  readonly file: string;
  /** Serialises what rotates tokens between command lines that run at the same time. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

export function openSignIns(settings: Settings, signal: AbortSignal): SignIns {
  const serversFile = join(settings.configDir, 'servers.json');
  const file = join(settings.configDir, 'credentials.json');
  const account = (server: string) => (settings.ownConfigDir ? `${server} ${settings.configDir}` : server);
  // What only a sign-in needs is loaded then: every command comes by here.
  const alone: SignIns['alone'] = async (work) => {
    const [{ withLock }, { makeFolder }] = await Promise.all([
      import('./lock.ts'),
      import('../terminal/make-folder.ts'),
    ]);
    const { configDir } = settings;
    await makeFolder(configDir, 0o700).catch((error: unknown) => Promise.reject(notWritten(configDir, error)));
    return withLock(join(settings.configDir, 'sign-ins.lock'), signal, work);
  };

  const readServers = async (): Promise<Servers> => {
    const found = readJson<Partial<Servers>>(serversFile);
    return { default: found?.default ?? null, servers: found?.servers ?? {} };
  };
  const writeServers = (servers: Servers) => writeJson(serversFile, servers);
  const readTokens = async () => readJson<Record<string, Tokens>>(file) ?? {};

  const store = async (server: string, storage: Storage, tokens: Tokens | null, keychain?: Keychain | null) => {
    if (storage === 'keychain') {
      const chain = keychain ?? (await (await import('./keychain.ts')).load());
      if (chain === null) throw new HangarError('keychain_failed', { message: 'The keychain library is missing.' });
      if (tokens === null) await chain.remove(account(server));
      else await chain.write(account(server), JSON.stringify(tokens));
      return;
    }
    const { [server]: _, ...others } = await readTokens();
    const all = tokens === null ? others : { ...others, [server]: tokens };
    if (Object.keys(all).length === 0) rmSync(file, { force: true });
    else await writeJson(file, all);
  };

  return {
    file,
    alone,
    defaultServer: async () => (await readServers()).default,
    list: async () => {
      const { default: standard, servers } = await readServers();
      return Object.entries(servers).map(([server, signIn]) => ({ server, isDefault: server === standard, signIn }));
    },
    find: async (server) => (await readServers()).servers[server] ?? null,
    tokens: async (server) => {
      const signIn = (await readServers()).servers[server];
      if (signIn === undefined) return null;
      if (signIn.storage === 'file') return (await readTokens())[server] ?? null;
      const { load } = await import('./keychain.ts');
      const text = await (await load())?.read(account(server));
      return text ? (JSON.parse(text) as Tokens) : null;
    },
    add: async (server, user, tokens, wanted) => {
      const keychain = wanted === 'file' ? null : await (await import('./keychain.ts')).openKeychain();
      if (keychain === null && wanted === 'keychain')
        throw new HangarError('keychain_failed', { message: 'There is no keychain here that works.' });
      const storage: Storage = keychain === null ? 'file' : 'keychain';
      await alone(async () => {
        const all = await readServers();
        const before = all.servers[server];
        if (before !== undefined && before.storage !== storage)
          await store(server, before.storage, null).catch(() => {});
        await store(server, storage, tokens, keychain);
        all.servers[server] = { storage, kind: tokens.kind, user, since: new Date().toISOString() };
        await writeServers({ default: server, servers: all.servers });
      });
      return storage;
    },
    renew: async (server, tokens) => {
      const signIn = (await readServers()).servers[server];
      if (signIn !== undefined) await store(server, signIn.storage, tokens);
    },
    remove: (server) =>
      alone(async () => {
        const all = await readServers();
        const { [server]: signIn, ...others } = all.servers;
        if (signIn === undefined) return;
        await store(server, signIn.storage, null);
        await writeServers({
          default: all.default === server ? (Object.keys(others).at(-1) ?? null) : all.default,
          servers: others,
        });
      }),
  };
}

function readJson<T>(path: string): T | null {
  let text: string;
  try {
    // At once: the files are small, and threads that would read them take longer to start.
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new HangarError('config_invalid', {
      message: `${path} cannot be read: ${(error as Error).message}`,
      wayOut: 'Make it readable, or set HANGAR_CONFIG_DIR to another folder.',
    });
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new HangarError('config_invalid', {
      message: `${path} is not JSON.`,
      wayOut: 'Remove the file and sign in again: hangar cloud login',
    });
  }
}

/** Whole or not at all, and never readable by others, not even for a moment. */
async function writeJson(path: string, value: unknown): Promise<void> {
  const folder = join(path, '..');
  const [{ randomBytes }, { chmod, rename, rm, writeFile }, { makeFolder }] = await Promise.all([
    import('node:crypto'),
    import('node:fs/promises'),
    import('../terminal/make-folder.ts'),
  ]);
  const part = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await makeFolder(folder, 0o700);
    await chmod(folder, 0o700);
    await writeFile(part, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw notWritten(path, error);
  }
}

const notWritten = (path: string, error: unknown): HangarError =>
  new HangarError('config_invalid', {
    message: `${path} cannot be written: ${(error as Error).message}`,
    wayOut: 'Make the folder writable, or set HANGAR_CONFIG_DIR to another one.',
  });
