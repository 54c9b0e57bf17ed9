import { spawn } from 'node:child_process';
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HangarError } from '@hangar/contract';
import { createEngine, type Engine } from '../engine.ts';
import { isStatus } from '../errors.ts';
import { hostImage } from './host-image.ts';

export interface DockerForTests {
  /** For the setting `host` of a docker profile. */
  readonly host: string;
  /** A glibc image with a shell and git. */
  readonly image: string;
  /** A network that works there; a private Engine has no bridge. */
  readonly network: string;
}
export interface NoDocker {
  readonly skipped: string;
}

const SYSTEM_HOST = 'unix:///var/run/docker.sock';
const REPOSITORY = 'hangar-test';
const START_DEADLINE_MS = 60_000;
export const ENGINE_FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'];

/**
 * A Docker Engine with a test image: the one of this machine, else a private one that is started when this is root and
 * has dockerd. Shared by all who ask, in whatever process; the private one ends by itself soon after the last of them.
 *
 * @param lease the process that uses it, when that is not this one
 */
export async function dockerForTests(
  o: { kind?: 'full' | 'slim' | 'without-git'; lease?: number } = {},
): Promise<DockerForTests | NoDocker> {
  if (process.platform !== 'linux') return { skipped: 'the test image is made from a Linux system' };
  const system = createEngine(SYSTEM_HOST);
  const found = (await answers(system))
    ? { engine: system, network: 'bridge' }
    : await privateEngine(o.lease ?? process.pid);
  if ('skipped' in found) return found;
  const image = await ensureImage(found.engine, o.kind ?? 'full');
  return { host: found.engine.host, image, network: found.network };
}

async function privateEngine(lease: number): Promise<{ engine: Engine; network: string } | NoDocker> {
  if (process.getuid?.() !== 0) return { skipped: 'no Docker here, and only root can start one' };
  if (!(await programExists('dockerd'))) return { skipped: 'no Docker here; install the package docker.io' };
  const dir = path.join(os.tmpdir(), 'hangar-test-docker');
  const engine = createEngine(`unix://${dir}/docker.sock`);
  const deadline = performance.now() + START_DEADLINE_MS;
  for (;;) {
    // The folder goes away with an Engine that ends at this very moment: so each time anew.
    await mkdir(path.join(dir, 'leases'), { recursive: true, mode: 0o700 });
    await writeFile(path.join(dir, 'leases', String(lease)), '').catch(() => {});
    const isEnding = () => exists(path.join(dir, 'ending'));
    if ((await answers(engine)) && !(await isEnding())) return { engine, network: 'host' };
    const failure = await readFile(path.join(dir, 'failed'), 'utf8').catch(() => null);
    if (failure !== null) return { skipped: `dockerd does not start here: ${failure}` };
    await ensureKeeper(dir);
    if (performance.now() > deadline) return { skipped: 'dockerd did not start in time' };
    await sleep(300);
  }
}

/** Starts a keeper when there is none. Several who do so at once do no harm: one keeper stays. */
async function ensureKeeper(dir: string): Promise<void> {
  const pid = await readFile(path.join(dir, 'keeper.pid'), 'utf8').catch(() => null);
  if (pid === null) return startKeeper(dir);
  // Empty: it is being written.
  if (pid === '' || isAlive(Number(pid))) return;
  // A keeper that was killed; its folder is moved away as a whole, and removed by the next keeper.
  await rename(dir, `${dir}.dead-${pid}`).catch(() => {});
}

function startKeeper(dir: string): void {
  const keeper = fileURLToPath(new URL('./keeper.ts', import.meta.url));
  spawn(process.execPath, [keeper, dir], {
    ...{ detached: true, stdio: 'ignore', cwd: '/' },
    env: { PATH: ENGINE_FOLDERS.join(':'), HOME: '/root' },
  }).unref();
}

async function ensureImage(engine: Engine, kind: 'full' | 'slim' | 'without-git'): Promise<string> {
  const { tag, tar } = await hostImage(kind);
  const image = `${REPOSITORY}:${tag}`;
  const signal = AbortSignal.timeout(120_000);
  try {
    await engine.json('GET', `/images/${image}/json`, { signal });
    return image;
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
  const query = { fromSrc: '-', repo: REPOSITORY, tag };
  const answer = await engine.stream('POST', '/images/create', {
    query,
    upload: await tar(),
    signal,
    deadlineMs: 120_000,
  });
  let text = '';
  for await (const chunk of answer) text += chunk;
  if (/"error"/.test(text)) throw new Error(`The test image was refused: ${text}`);
  return image;
}

async function answers(engine: Engine): Promise<boolean> {
  try {
    await engine.info({ signal: AbortSignal.timeout(5000), fresh: true });
    return true;
  } catch (error) {
    if (error instanceof HangarError || (error instanceof Error && error.name === 'TimeoutError')) return false;
    throw error;
  }
}

async function programExists(name: string): Promise<boolean> {
  for (const folder of ENGINE_FOLDERS) if (await exists(path.join(folder, name))) return true;
  return false;
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
