import { HangarError } from '@hangar/contract';
import type { Answer } from '../../machine/ask.ts';
import { nonce, type Talk } from '../../machine/talk.ts';
import type { Brought } from '../../port/brought.ts';
import type { CallOptions, UnitKey, UnitSpec, UnitState } from '../../port/unit.ts';
import { archive } from '../archive.ts';
import { BESIDE_START, broughtEntries, digestOf, entryOf, START } from '../entries.ts';
import { programFile } from '../programs.ts';
import * as scripts from './program-scripts.ts';
import { readProgramState, wordsOf } from './program-state.ts';
import type { UnitPlace } from './unit-folder.ts';

const BRING_MS = 10 * 60_000;
const CALL_MS = 60_000;
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'x64', aarch64: 'arm64' };

/** How scripts run on a machine, outside of any unit. */
export type Ask = Talk['ask'];

/** Programs of units on machines that are reached by scripts alone. */
export interface RemotePrograms {
  /** Brings what is needed where the machine stays: before a unit is made, so that its deadline does not count it. Cheap the next time. */
  ready(ask: Ask, o: CallOptions & { say: (reason: string) => void }): Promise<void>;
  /** Brings what is needed, and answers the command that runs a program there, for whoever starts it by another way. */
  command(ask: Ask, name: string, o: CallOptions & { say: (reason: string) => void }): Promise<[string, string]>;
  /**
   * Brings what is needed, once for a machine, and starts the program: once, however often it is asked. Its deadline is kept by who made the machine.
   * @throws HangarError internal for a program that was not given, image_unsuitable, disk_full, launch_failed, and what `ask` throws
   */
  start(ask: Ask, spec: UnitSpec, url: string, o: CallOptions & { say: (reason: string) => void }): Promise<void>;
  inspect(ask: Ask, key: UnitKey, program: string, o: CallOptions): Promise<UnitState>;
  /** The end of what the program printed. Lines, the newest last. */
  lastWords(ask: Ask, key: UnitKey, o: CallOptions): Promise<string[]>;
  /** TERM, after `graceMs` KILL, to all that the unit runs. Afterwards it begins nothing any more. */
  end(ask: Ask, key: UnitKey, o: CallOptions & { graceMs: number }): Promise<void>;
  /** Removes what was brought before and is used by nothing. Names it. */
  tidy(ask: Ask, o: CallOptions): Promise<string[]>;
}

type Runtime = Awaited<ReturnType<typeof runtimeFor>>;

/**
 * @param o.place where units are on the machine
 * @param o.ownNode of the machine is taken where it is new enough, and none brought: for machines that live as long as one unit
 * @param o.stays the machine is the same for all units, so that it is looked at, and something brought to it, once
 */
export function createRemotePrograms(
  brought: Pick<Brought, 'programs' | 'nodeFile'>,
  o: { readonly place: UnitPlace; readonly ownNode: boolean; readonly stays: boolean },
): RemotePrograms {
  const { place } = o;
  let known: Promise<Runtime> | null = null;
  let bringing: Promise<void> | null = null;
  let isThere = false;

  async function look(ask: Ask, { signal }: CallOptions): Promise<Runtime> {
    const said = await answered(
      ask(scripts.lookScript(place), [], { signal, deadlineMs: CALL_MS }),
      'It cannot be looked at',
    );
    const [machine = '', libc, node] = said.trim().split(' ');
    const hasOwn = o.ownNode && Number(node) >= 20;
    const arch = libc === 'glibc' && !hasOwn ? (ARCHITECTURES[machine] ?? 'another') : 'another';
    return runtimeFor(brought, arch);
  }

  /** What the machine needs. One who is cut off leaves the question to the next. */
  function runtimeOf(ask: Ask, call: CallOptions): Promise<Runtime> {
    if (!o.stays) return look(ask, call);
    const mine = known ?? look(ask, call);
    known = mine;
    mine.catch(() => {
      if (known === mine) known = null;
    });
    return mine;
  }

  async function bring(ask: Ask, { digest, entries }: Runtime, { signal }: CallOptions): Promise<void> {
    // Last, so that what was cut off is never taken for whole.
    const all = [...entries, { name: 'complete', mode: 0o444, from: { text: `${digest}\n` } }];
    const input = archive(all);
    try {
      const script = scripts.bringScript(place, digest, nonce());
      const answer = await ask(script, [], { signal, input, deadlineMs: BRING_MS });
      if (answer.code === scripts.SAID.notWhole) {
        throw new HangarError('driver_unavailable', {
          message: 'The connection broke while programs were brought to the machine.',
        });
      }
      if (answer.code === scripts.SAID.noTar) {
        throw new HangarError('image_unsuitable', {
          message: 'The machine has no tar, by which programs are brought to it.',
          wayOut: 'Install tar there.',
        });
      }
      failedIf(answer, 'Programs cannot be brought to the machine');
    } finally {
      input.destroy();
    }
  }

  /** Those that start at the same time wait for one upload; it does not end with the one that began it. */
  async function bringOnce(ask: Ask, runtime: Runtime, call: CallOptions): Promise<void> {
    if (!o.stays) return bring(ask, runtime, call);
    const mine = bringing ?? bring(ask, runtime, { signal: AbortSignal.timeout(BRING_MS) });
    bringing = mine;
    const forget = () => {
      if (bringing === mine) bringing = null;
    };
    mine.then(forget, forget);
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(call.signal.reason);
    call.signal.addEventListener('abort', abort, { once: true });
    await Promise.race([mine, aborted.promise]).finally(() => call.signal.removeEventListener('abort', abort));
  }

  const stateOf = (ask: Ask, key: UnitKey, { signal }: CallOptions): Promise<string> =>
    answered(ask(scripts.stateScript(place, key), [], { signal, deadlineMs: CALL_MS }), 'The unit cannot be looked at');

  return {
    async ready(ask, call) {
      const runtime = await runtimeOf(ask, call);
      if (isThere) return;
      const script = scripts.isThereScript(place, runtime.digest);
      const answer = await ask(script, [], { signal: call.signal, deadlineMs: CALL_MS });
      if (answer.code === scripts.SAID.noRuntime) {
        call.say('Bringing programs to the machine');
        await bringOnce(ask, runtime, call);
      } else failedIf(answer, 'It cannot be looked at');
      isThere = true;
    },

    async command(ask, name, call) {
      programFile(brought, name);
      const runtime = await runtimeOf(ask, call);
      for (let tries = 0; ; tries += 1) {
        const script = scripts.whereScript(place, runtime.digest);
        const answer = await ask(script, [], { signal: call.signal, deadlineMs: CALL_MS });
        if (answer.code !== scripts.SAID.noRuntime || tries === 2) {
          failedIf(answer, `The ${name} cannot be found`);
          const at = answer.output.toString('utf8');
          return [`${at}/${START}`, `${at}/${entryOf(name)}`];
        }
        call.say('Bringing programs to the machine');
        await bringOnce(ask, runtime, call);
      }
    },

    async start(ask, spec, url, call) {
      if (spec.program.kind === 'hold')
        throw new HangarError('internal', { message: 'A machine in hand runs no program.' });
      const { name, input } = spec.program;
      programFile(brought, name);
      const runtime = await runtimeOf(ask, call);
      const bytes = Buffer.from(input);
      for (let tries = 0; ; tries += 1) {
        const script = scripts.startScript(place, spec.key, {
          ...{ digest: runtime.digest, file: entryOf(name), url },
          ...{ inputBytes: bytes.length, nonce: nonce() },
        });
        const answer = await ask(script, [], { signal: call.signal, input: bytes, deadlineMs: CALL_MS });
        if (answer.code === 0 || answer.code === scripts.SAID.ended) return;
        if (answer.code === scripts.SAID.cut) {
          throw new HangarError('driver_unavailable', {
            message: `The connection broke while the ${name} was started.`,
          });
        }
        if (answer.code === scripts.SAID.late) {
          throw new HangarError('launch_failed', {
            message: `The ${name} did not start: ${answer.error || 'it says nothing'}`,
          });
        }
        // Somebody may tidy up between the two.
        if (answer.code !== scripts.SAID.noRuntime || tries === 2) failedIf(answer, `The ${name} cannot be started`);
        call.say(`Bringing the ${name} to the machine`);
        await bringOnce(ask, runtime, call);
      }
    },

    inspect: async (ask, key, program, call) => readProgramState(program, await stateOf(ask, key, call)),
    lastWords: async (ask, key, call) => wordsOf(await stateOf(ask, key, call)),

    async end(ask, key, { signal, graceMs }) {
      const seconds = Math.max(0, Math.ceil(graceMs / 1000));
      const asked = ask(scripts.endScript(place, key, seconds), [], { signal, deadlineMs: CALL_MS + seconds * 1000 });
      await answered(asked, 'The unit does not end');
    },

    async tidy(ask, { signal }) {
      const keep = known === null ? [] : [(await known).digest];
      const asked = ask(scripts.tidyScript(place, keep), [], { signal, deadlineMs: BRING_MS });
      const said = await answered(asked, 'Programs cannot be tidied up');
      return said.split('\n').filter((line) => /^\.?[0-9a-f-]{16,60}$/.test(line));
    },
  };
}

async function runtimeFor(brought: Pick<Brought, 'programs' | 'nodeFile'>, arch: string) {
  const entries = await broughtEntries(brought, { dir: BESIDE_START, arch, host: 'machine' });
  return { entries, digest: await digestOf(entries) };
}

async function answered(asked: Promise<Answer>, what: string): Promise<string> {
  const answer = await asked;
  failedIf(answer, what);
  return answer.output.toString('utf8');
}

function failedIf({ code, error }: Answer, what: string): void {
  if (code === 0) return;
  const said = error
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(-300);
  if (/No space left on device|Disk quota exceeded|disk full|out of inodes/i.test(said)) {
    throw new HangarError('disk_full', { message: `There is no space left on the disk of the machine: ${said}` });
  }
  throw new HangarError('launch_failed', { message: `${what}: ${said || `it ended with ${code}`}` });
}
