import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { pack } from 'tar-stream';
import { z } from 'zod';
import type { WorkerAccess } from '../../features/jobs/launch/launcher.ts';
import { CLEAN_SCRIPT, startScript } from '../../features/jobs/launch/start-script.ts';
import { PROBE_SOURCE } from '../../features/jobs/launch/worker-probe.ts';
import type { Engine } from './engine.ts';
import { isStatus } from './errors.ts';

export const RUNTIME_DIR = '/hangar';
const BROUGHT = { worker: `${RUNTIME_DIR}/worker.mjs`, clean: `${RUNTIME_DIR}/clean.cjs`, runtime: RUNTIME_DIR };
const MARKER = 'complete';
const FILL_DEADLINE_MS = 180_000;
const LIBRARY_FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/lib64', '/usr/lib'];
const LIBRARIES = ['libstdc++.so.6', 'libgcc_s.so.1'];

/** Labels of what this driver makes. */
export const LABEL = {
  instance: 'hangar.instance',
  job: 'hangar.job',
  attempt: 'hangar.attempt',
  runtime: 'hangar.runtime',
  test: 'hangar.test',
} as const;

const Identified = z.object({ Id: z.string() });

interface Entry {
  readonly name: string;
  readonly mode: number;
  /** A file of this machine, or the content itself. */
  readonly from: { readonly file: string } | { readonly text: string };
}

/** Worker and Node in a volume of the Engine, filled once and read by every container. */
export interface Runtime {
  /** Name of the volume for an Engine of this architecture. */
  volumeFor(arch: string): Promise<string>;
  /** Makes sure that the volume is there and whole. Cheap when this process knows it. @throws HangarError */
  ensure(o: { arch: string; image: string; signal: AbortSignal; say: (reason: string) => void }): Promise<string>;
  /** Whether a container that mounts the volume has all of it. */
  isIn(container: string, signal: AbortSignal): Promise<boolean>;
}

/** What launcher, sweep and test of one Engine share. */
export interface DockerParts {
  readonly engine: Engine;
  readonly runtime: Runtime;
  readonly access: WorkerAccess;
  /** Launches that this process is in the middle of. */
  readonly launching: Map<string, Promise<void>>;
}

/**
 * @param files the worker, and the Node that runs it on this machine
 * @param staleMs after this long whoever else fills the volume is taken for dead
 */
export function createRuntime(
  engine: Engine,
  files: { workerFile: string; nodeFile: string },
  instanceId: string,
  // Over a network 120 MB take their time.
  staleMs = engine.isLocal ? 20_000 : 120_000,
): Runtime {
  const named = new Map<string, Promise<string>>();
  const filled = new Map<string, Promise<string>>();

  const volumeFor = (arch: string): Promise<string> => {
    const known = named.get(arch) ?? entriesFor(arch, files).then(nameOf);
    named.set(arch, known);
    known.catch(() => named.delete(arch));
    return known;
  };

  async function ensureVolume(o: { arch: string; image: string; signal: AbortSignal; say: (reason: string) => void }) {
    const volume = await volumeFor(o.arch);
    let other = { id: '', since: 0 };
    for (;;) {
      // The helper's name is the lock: of several servers one makes it, the others wait until it is gone.
      const helper = await makeHelper(volume, o);
      if (helper !== null) {
        if (await fill(helper, volume, o)) return volume;
        continue;
      }
      const id = await idOf(volume, o.signal);
      if (id !== other.id) other = { id, since: performance.now() };
      // Its maker died. Should it live and only be slow, it begins anew.
      else if (id !== '' && performance.now() - other.since > staleMs) await remove(id, o.signal);
      await sleep(200, undefined, { signal: o.signal });
    }
  }

  async function ensureInTime(o: { arch: string; image: string; say: (reason: string) => void }): Promise<string> {
    const signal = AbortSignal.timeout(FILL_DEADLINE_MS);
    try {
      return await ensureVolume({ ...o, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new HangarError('driver_unavailable', {
        message: `Bringing the worker to Docker at ${engine.host} took longer than ${FILL_DEADLINE_MS / 60_000} minutes.`,
        cause: error,
      });
    }
  }

  /** False when another server took the helper away in the middle of it. */
  async function fill(
    helper: string,
    volume: string,
    o: { arch: string; signal: AbortSignal; say: (reason: string) => void },
  ): Promise<boolean> {
    try {
      if (await isWhole(helper, o.signal)) return true;
      o.say('Bringing the worker to Docker');
      await upload(helper, await entriesFor(o.arch, files), o.signal);
      // Last, so that what was cut off is never taken for whole.
      await upload(helper, [{ name: MARKER, mode: 0o444, from: { text: `${volume}\n` } }], o.signal);
      return true;
    } catch (error) {
      if (isStatus(error, 404)) return false;
      throw error;
    } finally {
      await remove(helper, AbortSignal.timeout(30_000));
    }
  }

  /** Id of a container that never runs and has the volume; null when somebody else has its name. */
  async function makeHelper(volume: string, o: { image: string; signal: AbortSignal }): Promise<string | null> {
    const labels = { [LABEL.instance]: instanceId, [LABEL.runtime]: volume };
    try {
      await engine.json('POST', '/volumes/create', { body: { Name: volume, Labels: labels }, signal: o.signal });
      const made = await engine.json('POST', '/containers/create', {
        query: { name: volume },
        body: {
          ...{ Image: o.image, Entrypoint: ['/bin/true'], Cmd: [], Labels: labels, NetworkDisabled: true },
          HostConfig: {
            Mounts: [{ Type: 'volume', Source: volume, Target: RUNTIME_DIR, VolumeOptions: { NoCopy: true } }],
          },
        },
        signal: o.signal,
      });
      return Identified.parse(made).Id;
    } catch (error) {
      if (isStatus(error, 409)) return null;
      throw error;
    }
  }

  /** Empty when there is no such container. */
  async function idOf(name: string, signal: AbortSignal): Promise<string> {
    try {
      return Identified.parse(await engine.json('GET', `/containers/${name}/json`, { signal })).Id;
    } catch (error) {
      if (isStatus(error, 404)) return '';
      throw error;
    }
  }

  async function isWhole(container: string, signal: AbortSignal): Promise<boolean> {
    try {
      await engine.bytes(`/containers/${container}/archive`, { query: { path: `${RUNTIME_DIR}/${MARKER}` }, signal });
      return true;
    } catch (error) {
      if (isStatus(error, 404)) return false;
      throw error;
    }
  }

  async function exists(volume: string, signal: AbortSignal): Promise<boolean> {
    try {
      await engine.json('GET', `/volumes/${volume}`, { signal });
      return true;
    } catch (error) {
      if (isStatus(error, 404)) return false;
      throw error;
    }
  }

  async function upload(container: string, entries: Entry[], signal: AbortSignal): Promise<void> {
    const call = { query: { path: RUNTIME_DIR }, upload: archive(entries), signal, deadlineMs: FILL_DEADLINE_MS };
    await engine.json('PUT', `/containers/${container}/archive`, call);
  }

  async function remove(container: string, signal: AbortSignal): Promise<void> {
    try {
      await engine.json('DELETE', `/containers/${container}`, { query: { force: '1' }, signal });
    } catch (error) {
      if (!isStatus(error, 404, 409)) throw error;
    }
  }

  return {
    volumeFor,
    isIn: isWhole,
    async ensure(o) {
      // Somebody tidies volumes while no job runs: then Docker would silently make an empty one.
      if (filled.has(o.arch) && !(await exists(await volumeFor(o.arch), o.signal))) filled.delete(o.arch);
      // Shared by all that wait, so it does not end with the first of them.
      const known = filled.get(o.arch) ?? ensureInTime(o);
      filled.set(o.arch, known);
      known.catch(() => filled.delete(o.arch));
      const aborted = Promise.withResolvers<never>();
      const abort = () => aborted.reject(o.signal.reason);
      o.signal.addEventListener('abort', abort, { once: true });
      return Promise.race([known, aborted.promise]).finally(() => o.signal.removeEventListener('abort', abort));
    },
  };
}

/** Without a Node for that machine only the worker is brought, and the image must have Node itself. */
async function entriesFor(arch: string, files: { workerFile: string; nodeFile: string }): Promise<Entry[]> {
  const entries: Entry[] = [
    { name: 'start', mode: 0o755, from: { text: startScript(BROUGHT) } },
    { name: 'clean.cjs', mode: 0o444, from: { text: CLEAN_SCRIPT } },
    { name: 'probe.mjs', mode: 0o444, from: { text: PROBE_SOURCE } },
    { name: 'worker.mjs', mode: 0o444, from: { file: files.workerFile } },
  ];
  if (process.platform !== 'linux' || process.arch !== arch) return entries;
  entries.push({ name: 'node', mode: 0o755, from: { file: files.nodeFile } });
  for (const library of LIBRARIES) {
    for (const folder of LIBRARY_FOLDERS) {
      const file = path.join(folder, library);
      if (!(await stat(file).catch(() => null))) continue;
      entries.push({ name: `lib/${library}`, mode: 0o755, from: { file } });
      break;
    }
  }
  return entries;
}

async function nameOf(entries: Entry[]): Promise<string> {
  const hash = createHash('sha256');
  for (const entry of entries) {
    hash.update(`${entry.name}\0${entry.mode}\0`);
    if ('text' in entry.from) hash.update(entry.from.text);
    else
      await pipeline(createReadStream(entry.from.file), async (source) => {
        for await (const chunk of source) hash.update(chunk);
      });
  }
  return `hangar-runtime-${hash.digest('hex').slice(0, 16)}`;
}

function archive(entries: Entry[]): Readable {
  const tar = pack();
  const output = new PassThrough();
  // It may break before anybody reads it: who reads it then finds it broken.
  output.on('error', () => undefined);
  tar.on('error', (error) => output.destroy(error));
  tar.pipe(output);
  const write = async () => {
    for (const { name, mode, from } of entries) {
      const header = { name, mode, uid: 0, gid: 0, mtime: new Date(0) };
      if ('text' in from) tar.entry(header, from.text);
      else {
        const { size } = await stat(from.file);
        await pipeline(createReadStream(from.file), tar.entry({ ...header, size }));
      }
    }
    tar.finalize();
  };
  write().catch((error: unknown) => {
    tar.destroy();
    output.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return output;
}
