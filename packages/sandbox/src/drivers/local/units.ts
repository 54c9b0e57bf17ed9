import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, chown, mkdir, open, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { HELD_UNTIL_TOLD, holdCommand } from '../../brought/hold.ts';
import { nameOfProgram, programInWords } from '../../brought/programs.ts';
import type { Reach } from '../../port/driver.ts';
import type { UnitKey, UnitSpec, UnitState, Units } from '../../port/unit.ts';
import { bootId, isSame } from '../../process/index.ts';
import {
  accountFiles,
  accountOf,
  type Bubblewrap,
  bubblewrapCommand,
  enterCommand,
  HOLDER_FDS,
  INSIDE,
  type RunsInside,
  USER_INSIDE,
} from './bubblewrap.ts';
import { endUnit, UNIT_MARKER } from './end-unit.ts';
import { createLocalMachine, type WayIn } from './machine.ts';
import type { Programs } from './programs.ts';
import { ALREADY_CLAIMED, START_SCRIPT } from './start-script.ts';
import { sweepUnits } from './sweep.ts';
import { testLocal } from './test-local.ts';
import {
  hasCode,
  lastWords,
  readClaim,
  readExitCode,
  readHolder,
  removeTree,
  type UnitFolder,
  unitFolder,
  unitName,
} from './unit-folder.ts';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DEFAULT_PIDS = 4096;
const START_DEADLINE_MS = 10_000;
/** A unix socket's address holds 107 bytes. */
const LONGEST_SOCKET_PATH = 100;

/** What all profiles of this driver share; made once by the driver. */
export interface LocalParts {
  readonly unitsDir: string;
  readonly instanceId: string;
  /** Null: what is brought uses the URL. */
  readonly socketDir: string | null;
  readonly httpUrl: string;
  /** Where units without walls find programs. */
  readonly path: string | null;
  /** Proxies and certificate authorities of the server, for all that runs in a unit. */
  readonly network: Readonly<Record<string, string>>;
  readonly hide: readonly string[];
  readonly programs: Programs;
  /** Units that this process is in the middle of making. */
  readonly launching: Map<string, Promise<void>>;
}

export interface LocalProfile {
  /** Decides anew each time, because bubblewrap may be installed while the server runs. @throws HangarError launch_failed */
  readonly walls: (signal: AbortSignal) => Promise<Bubblewrap | null>;
  readonly show: readonly string[];
  readonly pids: number | undefined;
}

/** Units as process groups of this machine. */
export function createLocalReach(parts: LocalParts, profile: LocalProfile): Reach {
  const folderOf = (key: UnitKey) => unitFolder(parts.unitsDir, key);
  const markerOf = (key: UnitKey) => `${parts.instanceId}/${unitName(key)}`;

  const units: Units = {
    async ensure(spec, o) {
      const name = unitName(spec.key);
      const running = parts.launching.get(name);
      if (running) return running;
      const launch = start(spec, o.signal).finally(() => parts.launching.delete(name));
      parts.launching.set(name, launch);
      return launch;
    },

    async inspect(key) {
      const folder = folderOf(key);
      const claim = await readClaim(folder);
      if (!claim) {
        return parts.launching.has(unitName(key))
          ? { kind: 'starting', reason: 'Starting the process' }
          : { kind: 'missing' };
      }
      if (await isSame(claim)) return { kind: 'running' };
      const exitCode = await readExitCode(folder);
      if (exitCode !== null) return ended(claim.program, exitCode, await lastWords(folder));
      const restarted = claim.boot !== (await bootId());
      const reason = restarted ? 'The machine was restarted' : `${programInWords(claim.program)} was killed`;
      return { kind: 'exited', exitCode: null, outOfMemory: false, reason };
    },

    async stop(key, o) {
      await parts.launching.get(unitName(key))?.catch(() => {});
      await endUnit(folderOf(key), markerOf(key), o);
    },

    async remove(key, o) {
      await units.stop(key, { ...o, graceMs: 0 });
      await removeTree(folderOf(key).root);
    },

    sweep: (isOwned, o) => sweepUnits(parts, units, isOwned, o.signal),

    async machine(key, o) {
      const folder = folderOf(key);
      const isGone = async () => (await units.inspect(key, o)).kind !== 'running';
      return createLocalMachine({ isGone, wayIn: () => wayInto(key, folder) });
    },

    // Its network is that of this machine.
    serverUrl: async () => parts.httpUrl,
  };

  async function start(spec: UnitSpec, signal: AbortSignal): Promise<void> {
    const folder = folderOf(spec.key);
    if (await readClaim(folder)) return;
    const walls = await profile.walls(signal);
    try {
      const account = walls?.asRoot ? await accountOf(unitName(spec.key)) : null;
      for (const inside of [folder.work, folder.home, folder.tmp]) {
        await mkdir(inside, { recursive: true, mode: 0o700 });
        await chmod(inside, inside === folder.tmp ? 0o1777 : 0o700);
        if (account !== null) await chown(inside, account, account);
      }
      await chmod(folder.root, 0o700);
      const names = accountFiles(account ?? USER_INSIDE);
      await writeFile(path.join(folder.root, 'passwd'), names.passwd, { mode: 0o644 });
      await writeFile(path.join(folder.root, 'group'), names.group, { mode: 0o644 });

      const runs = await runsOf(spec, account !== null);
      const authorities = parts.network.NODE_EXTRA_CA_CERTS;
      const shown = authorities === undefined ? profile.show : [...profile.show, path.resolve(authorities)];
      const program = walls
        ? await bubblewrapCommand(walls, {
            ...{ folder, account, runs, show: shown, hide: parts.hide },
            pids: spec.resources.pids ?? profile.pids ?? DEFAULT_PIDS,
          })
        : runs.kind === 'hold'
          ? holdCommand({ seconds: null, begunFd: HOLDER_FDS.begun })
          : [runs.nodeFile, runs.programFile];
      const command = [...(await killAfter(spec.deadlineSeconds)), ...program];
      const env = { ...environment(folder, walls !== null, runs), [UNIT_MARKER]: markerOf(spec.key) };
      await begin(spec, { command, env, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw asLaunchError(error);
    }
  }

  /** Into the namespaces of its holder, as its account, in its work folder. */
  async function wayInto(key: UnitKey, folder: UnitFolder): Promise<WayIn> {
    const claim = await readClaim(folder);
    const holder = claim && (await isSame(claim)) ? await readHolder(folder) : null;
    if (holder === null) throw new HangarError('sandbox_gone');
    const walled = holder.pid !== null;
    const env = { ...environment(folder, walled, { kind: 'hold' }), [UNIT_MARKER]: markerOf(key) };
    if (holder.pid === null) return { enter: [], env, cwd: folder.work };
    const asRoot = process.getuid?.() === 0;
    return { enter: await enterCommand(holder.pid, asRoot ? await accountOf(unitName(key)) : null), env, cwd: '/' };
  }

  async function runsOf({ program }: UnitSpec, forOtherAccount: boolean): Promise<RunsInside> {
    if (program.kind === 'hold') return program;
    const files = await parts.programs.ready(program.name, forOtherAccount);
    return { ...{ kind: 'brought', name: program.name, socketDir: parts.socketDir }, ...files };
  }

  /** The only place where a unit begins. Nothing ties it to this process afterwards. */
  async function begin(
    { key, program }: UnitSpec,
    o: { command: string[]; env: Record<string, string>; signal: AbortSignal },
  ): Promise<void> {
    const folder = folderOf(key);
    const input = await inputFile(path.join(folder.root, 'input'), program.kind === 'hold' ? '' : `${program.input}\n`);
    const isHeld = program.kind === 'hold';
    const holder = isHeld ? await open(folder.holder, 'a', 0o600) : null;
    const log = await open(folder.log, 'a', 0o600);
    let child: ChildProcess;
    let failure: Error | undefined;
    try {
      const name = nameOfProgram(program);
      const stdio: number[] = [input.fd, log.fd, log.fd];
      if (holder) for (const fd of Object.values(HOLDER_FDS)) stdio[fd] = holder.fd;
      child = spawn('/bin/sh', ['-c', START_SCRIPT, 'hangar-unit', folder.root, name, ...o.command], {
        ...{ cwd: folder.root, env: o.env, detached: true },
        stdio,
      });
      // Said before the files below are closed: no process can be had, or the folder has gone.
      child.once('error', (error) => {
        failure = error;
      });
    } finally {
      await input.close();
      await log.close();
      await holder?.close();
    }
    child.unref();
    const deadline = performance.now() + START_DEADLINE_MS;
    const what = programInWords(nameOfProgram(program));
    const isThere = async () => (await readClaim(folder)) !== null && (!isHeld || (await readHolder(folder)) !== null);
    while (!(await isThere())) {
      if (failure)
        throw new HangarError('launch_failed', {
          message: `${what} cannot be started: ${failure.message}.`,
          cause: failure,
        });
      if (child.exitCode === ALREADY_CLAIMED) return;
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
        const words = await lastWords(folder);
        throw new HangarError('launch_failed', { message: `${what} did not start${words ? `: ${words}` : ''}.` });
      }
      await sleep(3, undefined, { signal: o.signal });
    }
  }

  function environment(folder: UnitFolder, walled: boolean, runs: RunsInside): Record<string, string> {
    const shown = profile.show.map((dir) => path.join(dir, 'bin'));
    const isHeld = runs.kind === 'hold';
    return walled
      ? {
          ...parts.network,
          ...forBrought(runs, INSIDE.work, INSIDE.socket),
          HOME: INSIDE.home,
          PATH: [`${INSIDE.home}/.local/bin`, ...shown, SYSTEM_PATH, ...(isHeld ? [] : [INSIDE.programs])].join(':'),
          ...{ USER: 'job', LOGNAME: 'job', SHELL: '/bin/sh', LANG: 'C.UTF-8', TMPDIR: '/tmp' },
        }
      : {
          ...parts.network,
          ...forBrought(runs, folder.work, parts.socketDir),
          HOME: folder.home,
          PATH: [...shown, parts.path ?? SYSTEM_PATH, ...(isHeld ? [] : [path.dirname(runs.nodeFile)])].join(':'),
          ...{ SHELL: '/bin/sh', LANG: 'C.UTF-8', TMPDIR: folder.tmp },
        };
  }

  /** What a program that was brought is told, with the folder where it finds the socket. A holder gets nothing of it. */
  function forBrought(runs: RunsInside, workDir: string, socketDir: string | null): Record<string, string> {
    if (runs.kind === 'hold') return {};
    const socket = parts.socketDir === null || socketDir === null ? null : path.join(socketDir, 'worker.sock');
    const isReachable = socket !== null && Buffer.byteLength(socket) <= LONGEST_SOCKET_PATH;
    return { HANGAR_WORKER_URL: isReachable ? `unix:${socket}` : parts.httpUrl, HANGAR_WORKER_DIR: workDir };
  }

  return {
    units,
    test: ({ signal }) =>
      testLocal({
        ...{ walls: profile.walls, folderOf, units, signal },
        async run(spec, during) {
          const name = unitName(spec.key);
          parts.launching.set(name, Promise.resolve());
          try {
            await start(spec, signal);
            return await during();
          } finally {
            parts.launching.delete(name);
          }
        },
      }),
  };
}

/**
 * The input as a file that has no name any more: it is whole before the program exists, so a crash of the server cannot
 * leave one that waits for it, and no other process finds it.
 */
async function inputFile(file: string, input: string) {
  await unlink(file).catch(() => {});
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  const handle = await open(file, flags, 0o600);
  await unlink(file);
  // At an explicit place, so that the shared position stays at the start for who reads it.
  await handle.write(Buffer.from(input), 0, undefined, 0);
  return handle;
}

/** The last resort against a program that ignores its own time limit. It ends the unit even while no server runs. */
async function killAfter(seconds: number | null): Promise<string[]> {
  if (seconds === null) return [];
  const timeout = '/usr/bin/timeout';
  const there = await open(timeout, 'r').then(
    (handle) => handle.close().then(() => true),
    () => false,
  );
  return there ? [timeout, '--foreground', '--signal=KILL', String(Math.ceil(seconds))] : [];
}

function ended(program: string, exitCode: number, words: string): UnitState {
  const what = programInWords(program);
  const isWell = exitCode === 0 || (program === 'hold' && exitCode === HELD_UNTIL_TOLD);
  const killed =
    exitCode === 137 ? `${what} was killed: for memory, at its deadline, or by somebody on the machine` : '';
  const failed = `${what} ended with exit code ${exitCode}${words ? `: ${words}` : ''}`;
  return {
    kind: 'exited',
    exitCode,
    outOfMemory: false,
    reason: isWell ? `${what} has ended` : killed || failed,
  };
}

function asLaunchError(error: unknown): unknown {
  if (error instanceof HangarError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return new HangarError('disk_full', { cause: error });
  return new HangarError('launch_failed', { message: `It could not be started: ${detail}.`, cause: error });
}
