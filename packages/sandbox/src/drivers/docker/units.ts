import { setTimeout as sleep } from 'node:timers/promises';
import { type DockerSettings, HangarError } from '@hangar/contract';
import { programFile } from '../../brought/programs.ts';
import type { Reach } from '../../port/driver.ts';
import type { UnitKey, UnitSpec, Units } from '../../port/unit.ts';
import {
  type ContainerPlan,
  ContainerState,
  containerBody,
  containerName,
  hasSocket,
  type Runs,
  readFrames,
  unitLabels,
  unitState,
  type WayToServer,
  wayToServer,
} from './container.ts';
import { EngineError } from './engine.ts';
import { asHangarError, isNoSuchImage, isStatus } from './errors.ts';
import { createDockerMachine } from './machine.ts';
import { pullImage } from './pull.ts';
import type { DockerParts } from './runtime.ts';
import { sweepEngine } from './sweep.ts';
import { testEngine } from './test-engine.ts';

const REMOVE_DEADLINE_MS = 60_000;

export interface DockerProfile {
  readonly settings: DockerSettings;
  readonly limits: { cpus?: number | undefined; memoryBytes?: number | undefined; pids?: number | undefined };
}

interface Saying {
  readonly signal: AbortSignal;
  readonly say: (reason: string) => void;
}

/** Units as containers of one Engine. */
export function createDockerReach(parts: DockerParts, profile: DockerProfile): Reach {
  const { engine, runtime, brought } = parts;
  const { settings, limits } = profile;

  const units: Units = {
    async ensure(spec, o) {
      const name = containerName(spec.key);
      const running = parts.launching.get(name);
      if (running) return running;
      const image = spec.image ?? settings.image;
      const launch = make(spec, image, o)
        .catch((error: unknown) => {
          throw asHangarError(error, { image });
        })
        .finally(() => parts.launching.delete(name));
      parts.launching.set(name, launch);
      return launch;
    },

    async inspect(key, o) {
      const name = containerName(key);
      const container = await look(name, o.signal);
      if (container) {
        const isRuntimeThere = () => runtime.isIn(name, o.signal);
        return unitState(container, () => lastWords(name, o.signal), isRuntimeThere);
      }
      return parts.launching.has(name) ? { kind: 'starting', reason: 'Making the container' } : { kind: 'missing' };
    },

    async stop(key, o) {
      const seconds = Math.ceil(o.graceMs / 1000);
      const call = { query: { t: String(seconds) }, signal: o.signal, deadlineMs: o.graceMs + 60_000 };
      await known(engine.json('POST', `/containers/${containerName(key)}/stop`, call));
    },

    remove: (key, o) => removeContainer(containerName(key), o.signal),

    sweep: (isOwned, o) => sweepEngine(parts, removeContainer, isOwned, o.signal),

    async machine(key) {
      return createDockerMachine({ engine, container: containerName(key) });
    },

    async serverUrl(key, o) {
      const { url, socketDir } = wayToServer(engine, settings, brought);
      if (socketDir === null) return url;
      const container = await look(containerName(key), o.signal);
      if (container === null) throw new HangarError('sandbox_gone');
      if (hasSocket(container)) return url;
      throw new HangarError('unsupported', {
        message: 'This sandbox was opened by an earlier release of Hangar, and has no way to this server.',
        wayOut: 'Open another one: hangar sandbox open',
      });
    },

    pause: (key, o) => turn(key, 'pause', 'paused', o.signal),
    resume: (key, o) => turn(key, 'unpause', 'running', o.signal),
  };

  async function make(spec: UnitSpec, image: string, o: Saying): Promise<void> {
    const name = containerName(spec.key);
    const plan = {
      ...{ image, network: settings.network, ...runsOf(spec), deadlineSeconds: spec.deadlineSeconds },
      resources: { ...defined(limits), ...defined(spec.resources) },
      labels: unitLabels(brought.instanceId, spec.key, spec.program),
    };
    if (settings.pull === 'always' && !(await look(name, o.signal))) await pullImage(engine, image, o);
    await runOnce(name, plan, o);
  }

  function runsOf({ program }: UnitSpec): Pick<ContainerPlan, 'runs' | 'server'> {
    if (program.kind === 'hold') return { runs: program, server: wayIfAny() };
    programFile(brought, program.name);
    return { runs: program, server: wayToServer(engine, settings, brought) };
  }

  /** A machine in hand is of use without one. */
  function wayIfAny(): WayToServer | null {
    try {
      return wayToServer(engine, settings, brought);
    } catch (error) {
      if (error instanceof HangarError) return null;
      throw error;
    }
  }

  /** Makes the container, gives it its input and starts it: four calls when the Engine has been used before. */
  async function runOnce(name: string, plan: ContainerPlan, o: Saying): Promise<void> {
    const isNew = await withImage(plan.image, o, () => create(name, plan, o));
    // Left by a launch that was cut off, or somebody else's work: only what never started is started.
    if (!isNew && (await look(name, o.signal))?.State.Status !== 'created') return;
    try {
      await start(name, plan.runs, o.signal);
    } catch (error) {
      // It never ran, and would be taken for a launch that was cut off.
      if (error instanceof EngineError) await removeContainer(name, o.signal);
      throw error;
    }
  }

  async function create(name: string, plan: ContainerPlan, o: Saying): Promise<boolean> {
    const volume = plan.runs.kind === 'hold' ? null : await volumeFor(plan.image, o);
    try {
      const call = { query: { name }, body: containerBody(plan, volume), signal: o.signal, deadlineMs: 60_000 };
      await engine.json('POST', '/containers/create', call);
      return true;
    } catch (error) {
      if (isStatus(error, 409)) return false;
      throw error;
    }
  }

  async function volumeFor(image: string, o: Saying): Promise<string> {
    const { arch } = await engine.info(o);
    return runtime.ensure({ ...o, arch, image });
  }

  /** Input is on its way before the container runs, so that a crash of ours cannot leave it waiting. */
  async function start(name: string, runs: Runs, signal: AbortSignal): Promise<void> {
    const run = () => engine.json('POST', `/containers/${name}/start`, { signal, deadlineMs: 120_000 });
    if (runs.kind === 'hold') return void (await run());
    const stdin = await engine.upgrade(`/containers/${name}/attach`, { query: { stream: '1', stdin: '1' }, signal });
    stdin.resume();
    stdin.end(`${runs.input}\n`);
    try {
      await run();
    } catch (error) {
      stdin.destroy();
      throw error;
    }
    // The Engine closes its side once the container has read; a process that never reads must not hold the connection.
    const giveUp = setTimeout(() => stdin.destroy(), 10_000);
    giveUp.unref();
    stdin.once('close', () => clearTimeout(giveUp));
  }

  async function withImage<T>(image: string, o: Saying, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isNoSuchImage(error) || settings.pull === 'never') throw error;
      await pullImage(engine, image, o);
      return await work();
    }
  }

  /** Asked for twice the Engine refuses: what it is by now decides. */
  async function turn(
    key: UnitKey,
    verb: 'pause' | 'unpause',
    wanted: 'paused' | 'running',
    signal: AbortSignal,
  ): Promise<void> {
    const name = containerName(key);
    try {
      await engine.json('POST', `/containers/${name}/${verb}`, { signal, deadlineMs: 60_000 });
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const status = (await look(name, signal))?.State.Status;
      if (status === wanted) return;
      if (status === 'paused' || status === 'running') throw asHangarError(error, { image: '' });
      throw new HangarError('sandbox_gone', {
        message: status === undefined ? `There is no container ${name} any more.` : `Container ${name} is ${status}.`,
        cause: error,
      });
    }
  }

  async function look(name: string, signal: AbortSignal): Promise<ContainerState | null> {
    const answer = await known(engine.json('GET', `/containers/${name}/json`, { signal }));
    if (answer === null) return null;
    const parsed = ContainerState.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new HangarError('driver_unavailable', {
      message: `Docker at ${engine.host} described a container in a way unknown.`,
    });
  }

  async function lastWords(name: string, signal: AbortSignal): Promise<string> {
    const query = { stdout: '1', stderr: '1', tail: '20' };
    const bytes = await known(engine.bytes(`/containers/${name}/logs`, { query, signal }));
    const lines = bytes ? readFrames(bytes).split('\n') : [];
    const said = lines.map((line) => line.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim()).filter((line) => line !== '');
    return (said.at(-1) ?? '').slice(0, 300);
  }

  async function removeContainer(name: string, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + REMOVE_DEADLINE_MS;
    for (;;) {
      try {
        const query = { force: '1', v: '1' };
        await known(engine.json('DELETE', `/containers/${name}`, { query, signal, deadlineMs: REMOVE_DEADLINE_MS }));
        return;
      } catch (error) {
        // Another removal is under way.
        if (!isStatus(error, 409) || performance.now() > deadline) throw error;
        await sleep(100, undefined, { signal });
      }
    }
  }

  return {
    units,
    test: (o) => testEngine({ ...parts, settings, runOnce, removeContainer, withImage, signal: o.signal }),
  };
}

/** Null when the Engine does not know the thing. */
async function known<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (isStatus(error, 404)) return null;
    throw asHangarError(error, { image: '' });
  }
}

function defined(
  limits: { [K in 'cpus' | 'memoryBytes' | 'pids']?: number | undefined },
): Partial<Record<'cpus' | 'memoryBytes' | 'pids', number>> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
