import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DockerSettings, HangarError, type ProfileCheck } from '@hangar/contract';
import { readProbe } from '../../brought/probe.ts';
import { PROBE } from '../../brought/programs.ts';
import { type ContainerPlan, ContainerState, readFrames, unitState, wayToServer } from './container.ts';
import { asHangarError } from './errors.ts';
import { type DockerParts, LABEL } from './runtime.ts';

const PROBE_DEADLINE_MS = 60_000;

interface Parts extends DockerParts {
  readonly settings: DockerSettings;
  readonly signal: AbortSignal;
  readonly runOnce: (
    name: string,
    plan: ContainerPlan,
    o: { signal: AbortSignal; say: (reason: string) => void },
  ) => Promise<void>;
  readonly removeContainer: (name: string, signal: AbortSignal) => Promise<void>;
  readonly withImage: <T>(
    image: string,
    o: { signal: AbortSignal; say: (reason: string) => void },
    work: () => Promise<T>,
  ) => Promise<T>;
}

/** Engine, image, then a container that is made exactly as all others, with the probe in it. */
export async function testEngine(parts: Parts): Promise<ProfileCheck[]> {
  const { engine, runtime, settings, brought, signal } = parts;
  const { image } = settings;
  const o = { signal, say: () => {} };
  const checks: ProfileCheck[] = [];
  const passed = (name: string, detail: string) => checks.push({ name, ok: true, detail, wayOut: null });
  const step = async (name: string, work: () => Promise<string>): Promise<boolean> => {
    try {
      passed(name, await work());
      return true;
    } catch (error) {
      signal.throwIfAborted();
      const mapped = asHangarError(error, { image });
      const known = mapped instanceof HangarError ? mapped : new HangarError('launch_failed', { cause: error });
      checks.push({ name, ok: false, detail: known.message, wayOut: known.wayOut });
      return false;
    }
  };

  const reached = await step('Docker Engine', async () => {
    const { version, api, os, arch } = await engine.info({ signal, fresh: true });
    return `Version ${version}, API ${api}, ${os} ${arch}`;
  });
  if (!reached) return checks;
  const found = await step('Image', async () => {
    await parts.withImage(image, o, () => engine.json('GET', `/images/${image}/json`, { signal }));
    return image;
  });
  if (!found) return checks;

  const name = `hangar-test-${randomBytes(6).toString('hex')}`;
  try {
    let output = '';
    const started = await step('Worker starts', async () => {
      const server = wayToServer(engine, settings, brought);
      const plan: ContainerPlan = {
        ...{ image, network: settings.network, resources: {}, deadlineSeconds: null },
        runs: { kind: 'brought', name: PROBE, input: 'probe' },
        server,
        labels: { [LABEL.instance]: brought.instanceId, [LABEL.test]: '1', [LABEL.program]: PROBE },
      };
      await parts.runOnce(name, plan, o);
      output = await outputOf(name);
      const result = readProbe(output);
      if (!result) throw new HangarError('launch_failed', { message: 'The probe printed nothing.' });
      if (!result.token) throw new HangarError('launch_failed', { message: 'The token did not arrive.' });
      return `Node ${result.node}, as user ${result.user}`;
    });
    const result = started ? readProbe(output) : null;
    if (result) {
      const about = (ok: string, problem: string | null) => async () => {
        if (problem !== null) throw new HangarError('launch_failed', { message: problem, wayOut: WAY_OUT });
        return ok;
      };
      await step('Git', about(result.git ?? '', result.git ? null : 'There is no git in the image.'));
      await step('Work folder', about('It can be written.', result.folder));
      await step('Server reached', about('The worker reaches this server.', result.server));
    }
  } finally {
    await parts.removeContainer(name, AbortSignal.timeout(30_000));
  }
  return checks;

  /** Waits for the end of the container. @throws HangarError when it did not do what it was made for */
  async function outputOf(container: string): Promise<string> {
    const deadline = performance.now() + PROBE_DEADLINE_MS;
    for (;;) {
      const answer = ContainerState.parse(await engine.json('GET', `/containers/${container}/json`, { signal }));
      const printed = async () => {
        const query = { stdout: '1', stderr: '1', tail: '50' };
        return readFrames(await engine.bytes(`/containers/${container}/logs`, { query, signal }));
      };
      const lastWords = async () => (await printed()).trim().split('\n').at(-1) ?? '';
      const state = await unitState(answer, lastWords, () => runtime.isIn(container, signal));
      if (state.kind === 'exited') {
        if (state.exitCode === 0) return printed();
        throw new HangarError(state.code ?? 'launch_failed', { message: `${state.reason}.` });
      }
      if (performance.now() > deadline) throw new HangarError('launch_failed', { message: 'The probe does not end.' });
      await sleep(50, undefined, { signal });
    }
  }
}

const WAY_OUT = 'Set serverUrl in the profile when Docker runs on another machine; use an image with git otherwise.';
