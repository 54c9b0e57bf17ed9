import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from '@daytona/sdk';
import { type DaytonaSettings, HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import { programFile } from '../../brought/programs.ts';
import { type Ask, createRemotePrograms } from '../../brought/remote/programs.ts';
import { urlOfServer } from '../../brought/remote/way-to-server.ts';
import { createTalk } from '../../machine/talk.ts';
import type { Brought } from '../../port/brought.ts';
import type { ProfileOf } from '../../port/driver.ts';
import type { UnitKey, UnitSpec, Units } from '../../port/unit.ts';
import { type Client, checkedSandbox } from './client.ts';
import { isMissing, isStatus, told } from './errors.ts';
import { createMachine } from './machine.ts';
import { ENDED, failureOf, hasFailed, unitState } from './sandbox-state.ts';

const LABEL = { instance: 'hangar.instance', unit: 'hangar.unit', program: 'hangar.program' } as const;
/** Where units are in a sandbox, of which each has one. */
const FOLDER = '~/.hangar';
/** Units of a profile test belong to no row; younger ones may be at work. */
export const TEST_UNIT = 'test-';
const TEST_AGE_MS = 15 * 60_000;

const GIB = 1024 ** 3;
const MINUTE_MS = 60_000;
/** One request, with what the SDK waits for behind it. */
const STEP_S = 60;
/** How long an image may be built or pulled; counts for no deadline. */
const START_MINUTES = 60;
const LOOK_MS = 1_000;
const PAGE = 100;

export interface UnitsOptions {
  readonly brought: Brought;
  readonly profile: ProfileOf;
  readonly settings: DaytonaSettings;
  readonly client: () => Promise<Client>;
  readonly log: Logger;
  readonly heartbeatMs: number;
  readonly background: (work: Promise<unknown>) => void;
}

/** Sandboxes of Daytona, found by a name that is made of their key and that no other sandbox of the organization can have. */
export function createUnits(o: UnitsOptions): Units {
  const { brought, profile, settings, log } = o;
  const { instanceId } = brought;
  const place = { folder: FOLDER, instanceId };
  const programs = createRemotePrograms(brought, { place, ownNode: true, stays: false });
  const own = createHash('sha256').update(instanceId).digest('hex').slice(0, 12);
  const nameOf = ({ id, attempt }: UnitKey) => `hangar-${own}-${id}-${attempt}`;
  const unitOf = ({ id, attempt }: UnitKey) => `${id}.${attempt}`;

  /** Null: the API says there is none. */
  async function find(client: Client, key: UnitKey, signal: AbortSignal): Promise<Sandbox | null> {
    try {
      const found = await client.ask({ signal, doing: 'look for a sandbox' }, () => client.sdk.get(nameOf(key)));
      const sandbox = checkedSandbox(found, client);
      if (sandbox.state === 'destroyed') return null;
      if (sandbox.labels[LABEL.instance] === instanceId && sandbox.labels[LABEL.unit] === unitOf(key)) return sandbox;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    throw new HangarError('launch_failed', {
      message: `There is a sandbox ${nameOf(key)} that this Hangar did not make.`,
      wayOut: 'Delete it at Daytona, or give it another name.',
    });
  }

  const wanted = ({ resources }: UnitSpec) => {
    const cpus = resources.cpus ?? profile.limits.cpus;
    const memoryBytes = resources.memoryBytes ?? profile.limits.memoryBytes;
    return {
      ...(cpus === undefined ? {} : { cpu: Math.ceil(cpus) }),
      ...(memoryBytes === undefined ? {} : { memory: Math.ceil(memoryBytes / GIB) }),
    };
  };

  async function make(client: Client, spec: UnitSpec, signal: AbortSignal): Promise<Sandbox> {
    const image = spec.image ?? null;
    const common = {
      name: nameOf(spec.key),
      labels: {
        ...{ [LABEL.instance]: instanceId, [LABEL.unit]: unitOf(spec.key) },
        ...(spec.program.kind === 'hold' ? {} : { [LABEL.program]: spec.program.name }),
      },
      // What looks idle to it may be at work: Hangar ends what nobody uses.
      ...{ autoStopInterval: 0, autoDeleteInterval: -1 },
      ...(spec.deadlineSeconds === null ? {} : { ttlMinutes: Math.ceil(spec.deadlineSeconds / 60) + START_MINUTES }),
      networkBlockAll: !settings.internet,
    };
    const ask = { signal, doing: 'make a sandbox', image: image ?? settings.snapshot ?? null };
    const made = await client.ask({ ...ask, deadlineMs: (STEP_S + 10) * 1000 }, () =>
      image === null
        ? // Sizes are those of the snapshot: a create that names both is refused.
          client.sdk.create(settings.snapshot === undefined ? common : { ...common, snapshot: settings.snapshot }, {
            timeout: STEP_S,
          })
        : client.sdk.create({ ...common, image, resources: wanted(spec) }, { timeout: STEP_S }),
    );
    return checkedSandbox(made, client);
  }

  /** What was made though its answer got lost, or is still being made, is found by its name. */
  async function makeOnce(client: Client, spec: UnitSpec, signal: AbortSignal): Promise<Sandbox> {
    try {
      return await make(client, spec, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const refused = error instanceof HangarError && REFUSED.has(error.code) && !isStatus(error, 409);
      const found = refused ? null : await find(client, spec.key, signal).catch(() => null);
      if (found === null) throw error;
      log.debug({ err: error, sandbox: found.name }, 'A sandbox was made though Daytona did not say so');
      return found;
    }
  }

  async function started(
    client: Client,
    sandbox: Sandbox,
    { signal, say }: { signal: AbortSignal; say: (reason: string) => void },
  ): Promise<void> {
    const until = performance.now() + START_MINUTES * MINUTE_MS;
    for (let said = ''; ; ) {
      if (hasFailed(sandbox)) throw failureOf(sandbox, client.key);
      const state = unitState(sandbox);
      if (state.kind !== 'starting') return;
      if (state.reason !== said) say(state.reason);
      said = state.reason;
      if (performance.now() > until) {
        throw new HangarError('driver_unavailable', {
          message: `The sandbox ${sandbox.name} did not start within ${START_MINUTES} minutes.`,
        });
      }
      await sleep(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
      await client.ask({ signal, doing: 'look at a sandbox' }, () => sandbox.refreshData());
    }
  }

  /** Never makes it smaller: a running sandbox can only grow. */
  async function grow(client: Client, sandbox: Sandbox, spec: UnitSpec, signal: AbortSignal): Promise<void> {
    const { cpu = 0, memory = 0 } = wanted(spec);
    if (cpu <= sandbox.cpu && memory <= sandbox.memory) return;
    const size = { cpu: Math.max(cpu, sandbox.cpu), memory: Math.max(memory, sandbox.memory) };
    await client.ask({ signal, doing: 'enlarge a sandbox', deadlineMs: (STEP_S + 10) * 1000 }, () =>
      sandbox.resize(size, STEP_S),
    );
  }

  /** Whole minutes from its making, as Daytona counts them. */
  const minutesUntil = (sandbox: Sandbox, ms: number): number => {
    const made = Date.parse(sandbox.createdAt ?? '');
    return Math.ceil((Date.now() + ms - (Number.isFinite(made) ? made : Date.now())) / MINUTE_MS);
  };

  const machineOf = (client: Client, sandbox: Sandbox) =>
    createMachine({ client, sandbox, log, heartbeatMs: o.heartbeatMs, background: o.background });
  const asking = (client: Client, sandbox: Sandbox): Ask => createTalk(machineOf(client, sandbox), undefined).ask;

  async function made(
    client: Client,
    spec: UnitSpec,
    { signal, say }: { signal: AbortSignal; say: (reason: string) => void },
  ): Promise<Sandbox> {
    const found = await find(client, spec.key, signal);
    if (found !== null) {
      // It was made by one who did not come to this.
      if (spec.program.kind === 'brought') await started(client, found, { signal, say });
      if (found.state === 'started') await grow(client, found, spec, signal);
      return found;
    }
    say('making the sandbox');
    const sandbox = await makeOnce(client, spec, signal);
    await started(client, sandbox, { signal, say });
    await grow(client, sandbox, spec, signal);
    const { deadlineSeconds } = spec;
    if (deadlineSeconds === null) return sandbox;
    if (sandbox.autoDestroyAt === undefined) {
      await units.remove(spec.key, { signal });
      throw new HangarError('unsupported', {
        message: `Daytona at ${client.host} does not end sandboxes by itself, so none can have a deadline.`,
        wayOut: 'Use a newer Daytona.',
      });
    }
    await client.ask({ signal, doing: 'set the deadline of a sandbox' }, () =>
      sandbox.setTtl(minutesUntil(sandbox, deadlineSeconds * 1000)),
    );
    return sandbox;
  }

  const toServer = () =>
    urlOfServer({
      ...{ serverUrl: settings.serverUrl, httpUrl: brought.httpUrl },
      ...{ isHere: false, machine: 'A sandbox of Daytona' },
    });

  const units: Units = {
    async ensure(spec, call) {
      if (spec.program.kind === 'brought') programFile(brought, spec.program.name);
      const url = spec.program.kind === 'hold' ? null : toServer();
      const client = await o.client();
      const sandbox = await made(client, spec, call);
      if (url !== null && sandbox.state === 'started') await programs.start(asking(client, sandbox), spec, url, call);
    },

    async inspect(key, call) {
      const client = await o.client();
      const sandbox = await find(client, key, call.signal);
      if (sandbox === null) return { kind: 'missing' };
      const program = sandbox.labels[LABEL.program];
      const state = unitState(sandbox);
      if (program === undefined || sandbox.state !== 'started') return state;
      return programs.inspect(asking(client, sandbox), key, program, call);
    },

    async lastWords(key, call) {
      const client = await o.client();
      const sandbox = await find(client, key, call.signal);
      if (sandbox?.state !== 'started' || sandbox.labels[LABEL.program] === undefined) return [];
      return programs.lastWords(asking(client, sandbox), key, call);
    },

    async stop(key, { signal, graceMs }) {
      const client = await o.client();
      const sandbox = await find(client, key, signal);
      if (sandbox === null || sandbox.state === 'destroying') return;
      if (sandbox.labels[LABEL.program] !== undefined && sandbox.state === 'started') {
        // The sandbox lives on, or nobody could tell how the program ended.
        return programs.end(asking(client, sandbox), key, { signal, graceMs });
      }
      await client.ask({ signal, doing: 'label a sandbox' }, () =>
        sandbox.setLabels({ ...sandbox.labels, [ENDED]: 'true' }),
      );
      if (isAtRest(sandbox)) return;
      await client.ask({ signal, doing: 'stop a sandbox', deadlineMs: (STEP_S + 10) * 1000 }, () =>
        sandbox.stop(STEP_S, graceMs === 0),
      );
    },

    async remove(key, { signal }) {
      const client = await o.client();
      const sandbox = await find(client, key, signal);
      if (sandbox !== null) await discard(client, sandbox, signal);
    },

    async sweep(isOwned, { signal }) {
      const client = await o.client();
      const removed: string[] = [];
      let kept = 0;
      const listed = client.sdk.list({ labels: { [LABEL.instance]: instanceId }, limit: PAGE });
      for (;;) {
        const { done, value } = await client.ask({ signal, doing: 'list sandboxes' }, () => listed.next());
        if (done) return { removed, kept };
        const sandbox = checkedSandbox(value, client);
        const unit = sandbox.labels[LABEL.unit] ?? '';
        const at = unit.lastIndexOf('.');
        const key = { id: unit.slice(0, at), attempt: Number(unit.slice(at + 1)) };
        // The list is told to keep to the label; what else it gives is not ours to remove.
        if (sandbox.labels[LABEL.instance] !== instanceId || at < 1 || !Number.isInteger(key.attempt)) continue;
        if (sandbox.state === 'destroyed' || sandbox.state === 'destroying') continue;
        const isYoungTest =
          key.id.startsWith(TEST_UNIT) && Date.now() - Date.parse(sandbox.createdAt ?? '') < TEST_AGE_MS;
        if (isYoungTest || (await isOwned(key))) {
          kept += 1;
          continue;
        }
        await discard(client, sandbox, signal);
        removed.push(`sandbox ${told(sandbox.name, client.key)}`);
      }
    },

    async machine(key, { signal }) {
      const client = await o.client();
      const sandbox = await find(client, key, signal);
      if (sandbox === null) {
        throw new HangarError('sandbox_gone', { message: `There is no sandbox ${nameOf(key)} any more.` });
      }
      if (sandbox.state !== 'started') {
        throw new HangarError('sandbox_gone', {
          message: `The sandbox ${sandbox.name} does not run: its state is ${sandbox.state ?? 'unknown'}.`,
          wayOut: 'Resume it, or open another one: hangar sandbox open',
        });
      }
      return machineOf(client, sandbox);
    },

    serverUrl: async () => toServer(),

    async pause(key, { signal }) {
      const { client, sandbox } = await known(key, signal);
      // One that is on its way is refused by Daytona as busy, and asked again.
      if (isAtRest(sandbox)) return;
      // Virtual machines keep their memory, too; containers their files only.
      const ask = { signal, doing: 'pause a sandbox', deadlineMs: (STEP_S + 10) * 1000 };
      await client.ask(ask, () => (sandbox.sandboxClass === 'linux-vm' ? sandbox.pause(STEP_S) : sandbox.stop(STEP_S)));
    },

    async resume(key, { signal }) {
      const { client, sandbox } = await known(key, signal);
      if (sandbox.state === 'started') return;
      await client.ask({ signal, doing: 'resume a sandbox', deadlineMs: (STEP_S + 10) * 1000 }, () =>
        sandbox.start(STEP_S),
      );
    },

    async renew(key, ms, { signal }) {
      const { client, sandbox } = await known(key, signal);
      // Where an organization does not allow to turn it off.
      if (sandbox.autoStopInterval || sandbox.autoPauseInterval) {
        await client.ask({ signal, doing: 'renew a sandbox' }, () => sandbox.refreshActivity());
      }
      if (sandbox.autoDestroyAt === undefined || Date.parse(sandbox.autoDestroyAt) >= Date.now() + ms) return;
      await client.ask({ signal, doing: 'renew a sandbox' }, () => sandbox.setTtl(minutesUntil(sandbox, ms)));
    },
  };

  async function known(key: UnitKey, signal: AbortSignal): Promise<{ client: Client; sandbox: Sandbox }> {
    const client = await o.client();
    const sandbox = await find(client, key, signal);
    if (sandbox !== null) return { client, sandbox };
    throw new HangarError('sandbox_gone', { message: `There is no sandbox ${nameOf(key)} any more.` });
  }
  return units;
}

const isAtRest = (sandbox: Sandbox): boolean => !['running', 'starting'].includes(unitState(sandbox).kind);

async function discard(client: Client, sandbox: Sandbox, signal: AbortSignal): Promise<void> {
  try {
    await client.ask({ signal, doing: 'delete a sandbox', deadlineMs: (STEP_S + 10) * 1000 }, () =>
      sandbox.delete(STEP_S, true),
    );
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Answers that say for certain that nothing was made. */
const REFUSED: ReadonlySet<string> = new Set(['driver_auth_failed', 'driver_quota', 'driver_busy', 'image_not_found']);
