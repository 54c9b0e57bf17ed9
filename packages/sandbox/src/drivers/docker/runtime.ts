import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { z } from 'zod';
import { archive } from '../../brought/archive.ts';
import { type BroughtEntry, broughtEntries, digestOf, entryOf } from '../../brought/entries.ts';
import type { Brought } from '../../port/brought.ts';
import type { Engine } from './engine.ts';
import { isStatus } from './errors.ts';

export const RUNTIME_DIR = '/hangar';
/** Where a container finds a program that was brought. */
export const programPath = (name: string): string => `${RUNTIME_DIR}/${entryOf(name)}`;
const MARKER = 'complete';
const FILL_DEADLINE_MS = 180_000;

/** Labels of what this driver makes. */
export const LABEL = {
  instance: 'hangar.instance',
  /** Of whatever a unit is for. Called so since units were of jobs alone: those of older servers must be found and swept. */
  id: 'hangar.job',
  attempt: 'hangar.attempt',
  program: 'hangar.program',
  runtime: 'hangar.runtime',
  test: 'hangar.test',
} as const;

const Identified = z.object({ Id: z.string() });

/** Programs and Node in a volume of the Engine, filled once and read by every container that runs one of them. */
export interface Runtime {
  /** Name of the volume for an Engine of this architecture. */
  volumeFor(arch: string): Promise<string>;
  /** Makes sure that the volume is there and whole. Cheap when this process knows it. @throws HangarError */
  ensure(o: { arch: string; image: string; signal: AbortSignal; say: (reason: string) => void }): Promise<string>;
  /** Whether a container that mounts the volume has all of it. */
  isIn(container: string, signal: AbortSignal): Promise<boolean>;
}

/** What units, sweep and test of one Engine share. */
export interface DockerParts {
  readonly engine: Engine;
  readonly runtime: Runtime;
  readonly brought: Brought;
  /** Units that this process is in the middle of making. */
  readonly launching: Map<string, Promise<void>>;
}

/**
 * @param files programs, and the Node that runs them on this machine
 * @param staleMs after this long whoever else fills the volume is taken for dead
 */
export function createRuntime(
  engine: Engine,
  files: Pick<Brought, 'programs' | 'nodeFile'>,
  instanceId: string,
  // Over a network 120 MB take their time.
  staleMs = engine.isLocal ? 20_000 : 120_000,
): Runtime {
  const entriesFor = (arch: string) => broughtEntries(files, { dir: RUNTIME_DIR, arch });
  const named = new Map<string, Promise<string>>();
  const filled = new Map<string, Promise<string>>();

  const volumeFor = (arch: string): Promise<string> => {
    const known =
      named.get(arch) ??
      entriesFor(arch)
        .then(digestOf)
        .then((digest) => `hangar-runtime-${digest}`);
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
      await upload(helper, await entriesFor(o.arch), o.signal);
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

  async function upload(container: string, entries: readonly BroughtEntry[], signal: AbortSignal): Promise<void> {
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
