import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, chown, mkdir, open, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import type { Launcher, LaunchRequest, UnitKey, UnitState } from '../../features/jobs/launch/launcher.ts';
import { bootId, isSame } from '../../platform/process/index.ts';
import { accountFiles, accountOf, type Bubblewrap, bubblewrapCommand, INSIDE, USER_INSIDE } from './bubblewrap.ts';
import { endUnit, UNIT_MARKER } from './end-unit.ts';
import type { Programs } from './programs.ts';
import { ALREADY_CLAIMED, START_SCRIPT } from './start-script.ts';
import { sweepUnits } from './sweep.ts';
import { testLocal } from './test-local.ts';
import { hasCode, lastWords, readClaim, readExitCode, removeTree, unitFolder, unitName } from './unit-folder.ts';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DEFAULT_PIDS = 4096;
const START_DEADLINE_MS = 10_000;
/** A unix socket's address holds 107 bytes. */
const LONGEST_SOCKET_PATH = 100;

/** What a launcher of this driver needs; made once by the driver. */
export interface LocalParts {
  readonly unitsDir: string;
  readonly instanceId: string;
  /** Null: workers use the URL. */
  readonly socketDir: string | null;
  readonly httpUrl: string;
  /** Where jobs without walls find programs. */
  readonly path: string | null;
  /** Proxies and certificate authorities of the server, for worker and agent. */
  readonly network: Readonly<Record<string, string>>;
  readonly hide: readonly string[];
  readonly programs: Programs;
  /** Launches that this process is in the middle of. */
  readonly launching: Map<string, Promise<void>>;
}

export interface LocalProfile {
  /** Decides anew each time, because bubblewrap may be installed while the server runs. @throws HangarError launch_failed */
  readonly walls: (signal: AbortSignal) => Promise<Bubblewrap | null>;
  readonly show: readonly string[];
  readonly pids: number | undefined;
}

export function createLocalLauncher(parts: LocalParts, profile: LocalProfile): Launcher {
  const folderOf = (unit: UnitKey) => unitFolder(parts.unitsDir, unit);
  const markerOf = (unit: UnitKey) => `${parts.instanceId}/${unitName(unit)}`;

  const launcher: Launcher = {
    async launch(request, o) {
      const name = unitName(request);
      const running = parts.launching.get(name);
      if (running) return running;
      const launch = start(request, o.signal).finally(() => parts.launching.delete(name));
      parts.launching.set(name, launch);
      return launch;
    },

    async inspect(unit) {
      const folder = folderOf(unit);
      const claim = await readClaim(folder);
      if (!claim) {
        return parts.launching.has(unitName(unit))
          ? { kind: 'starting', reason: 'Starting the worker' }
          : { kind: 'missing' };
      }
      if (await isSame(claim)) return { kind: 'running' };
      const exitCode = await readExitCode(folder);
      if (exitCode !== null) return ended(exitCode, await lastWords(folder));
      const restarted = claim.boot !== (await bootId());
      const reason = restarted ? 'The machine was restarted' : 'The worker was killed';
      return { kind: 'exited', exitCode: null, outOfMemory: false, reason };
    },

    async cancel(unit, o) {
      await parts.launching.get(unitName(unit))?.catch(() => {});
      await endUnit(folderOf(unit), markerOf(unit), o);
    },

    async remove(unit, o) {
      await launcher.cancel(unit, { ...o, graceMs: 0 });
      await removeTree(folderOf(unit).root);
    },

    sweep: (isOwned, o) => sweepUnits(parts, launcher, isOwned, o.signal),

    test: ({ signal }) =>
      testLocal({
        ...{ walls: profile.walls, folderOf, launcher, signal },
        async run(request, workerFile, during) {
          const name = unitName(request);
          parts.launching.set(name, Promise.resolve());
          try {
            await start(request, signal, workerFile);
            return await during();
          } finally {
            parts.launching.delete(name);
          }
        },
      }),
  };

  async function start(request: LaunchRequest, signal: AbortSignal, instead?: string): Promise<void> {
    const folder = folderOf(request);
    if (await readClaim(folder)) return;
    const walls = await profile.walls(signal);
    try {
      const account = walls?.asRoot ? await accountOf(unitName(request)) : null;
      for (const inside of [folder.work, folder.home, folder.tmp]) {
        await mkdir(inside, { recursive: true, mode: 0o700 });
        await chmod(inside, inside === folder.tmp ? 0o1777 : 0o700);
        if (account !== null) await chown(inside, account, account);
      }
      await chmod(folder.root, 0o700);
      const names = accountFiles(account ?? USER_INSIDE);
      await writeFile(path.join(folder.root, 'passwd'), names.passwd, { mode: 0o644 });
      await writeFile(path.join(folder.root, 'group'), names.group, { mode: 0o644 });

      const ready = await parts.programs.ready(account !== null);
      const programs = instead === undefined ? ready : { ...ready, workerFile: instead };
      const authorities = parts.network.NODE_EXTRA_CA_CERTS;
      const shown = authorities === undefined ? profile.show : [...profile.show, path.resolve(authorities)];
      const worker = walls
        ? await bubblewrapCommand(walls, {
            ...{ folder, account, ...programs, socketDir: parts.socketDir, show: shown, hide: parts.hide },
            pids: request.resources.pids ?? profile.pids ?? DEFAULT_PIDS,
          })
        : [programs.nodeFile, programs.workerFile];
      const command = [...(await killAfter(request.deadlineSeconds)), ...worker];
      const env = { ...environment(request, walls !== null, programs.nodeFile), [UNIT_MARKER]: markerOf(request) };
      await begin(request, command, env, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw asLaunchError(error);
    }
  }

  /** The only place where a worker begins. Nothing ties it to this process afterwards. */
  async function begin(
    request: LaunchRequest,
    command: string[],
    env: Record<string, string>,
    signal: AbortSignal,
  ): Promise<void> {
    const folder = folderOf(request);
    const token = await tokenInput(path.join(folder.root, 'input'), request.workerToken);
    const log = await open(folder.log, 'a', 0o600);
    let child: ChildProcess;
    let failure: Error | undefined;
    try {
      child = spawn('/bin/sh', ['-c', START_SCRIPT, 'hangar-unit', folder.root, ...command], {
        ...{ cwd: folder.root, env, detached: true },
        stdio: [token.fd, log.fd, log.fd],
      });
      // Said before the files below are closed: no process can be had, or the folder has gone.
      child.once('error', (error) => {
        failure = error;
      });
    } finally {
      await token.close();
      await log.close();
    }
    child.unref();
    const deadline = performance.now() + START_DEADLINE_MS;
    while (!(await readClaim(folder))) {
      if (failure)
        throw new HangarError('launch_failed', {
          message: `The worker cannot be started: ${failure.message}.`,
          cause: failure,
        });
      if (child.exitCode === ALREADY_CLAIMED) return;
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
        const words = await lastWords(folder);
        throw new HangarError('launch_failed', { message: `The worker did not start${words ? `: ${words}` : ''}.` });
      }
      await sleep(3, undefined, { signal });
    }
  }

  function environment(request: LaunchRequest, walled: boolean, nodeFile: string): Record<string, string> {
    const folder = folderOf(request);
    const socket = parts.socketDir === null ? null : path.join(parts.socketDir, 'worker.sock');
    const reachable = socket !== null && Buffer.byteLength(socket) <= LONGEST_SOCKET_PATH;
    const shown = profile.show.map((dir) => path.join(dir, 'bin'));
    return walled
      ? {
          ...parts.network,
          HANGAR_WORKER_URL: socket === null ? parts.httpUrl : `unix:${INSIDE.socket}/worker.sock`,
          HANGAR_WORKER_DIR: INSIDE.work,
          HOME: INSIDE.home,
          PATH: [`${INSIDE.home}/.local/bin`, ...shown, SYSTEM_PATH, INSIDE.programs].join(':'),
          ...{ USER: 'job', LOGNAME: 'job', SHELL: '/bin/sh', LANG: 'C.UTF-8', TMPDIR: '/tmp' },
        }
      : {
          ...parts.network,
          HANGAR_WORKER_URL: reachable ? `unix:${socket}` : parts.httpUrl,
          HANGAR_WORKER_DIR: folder.work,
          HOME: folder.home,
          PATH: [...shown, parts.path ?? SYSTEM_PATH, path.dirname(nodeFile)].join(':'),
          ...{ SHELL: '/bin/sh', LANG: 'C.UTF-8', TMPDIR: folder.tmp },
        };
  }

  return launcher;
}

/**
 * The token as a file that has no name any more: it is whole before the worker exists, so a crash of the server cannot
 * leave a worker that waits for it, and no other process finds it.
 */
async function tokenInput(file: string, token: string) {
  await unlink(file).catch(() => {});
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  const handle = await open(file, flags, 0o600);
  await unlink(file);
  // At an explicit place, so that the shared position stays at the start for who reads it.
  await handle.write(Buffer.from(`${token}\n`), 0, undefined, 0);
  return handle;
}

/** The last resort against a worker that ignores its own time limit. It ends the worker even while no server runs. */
async function killAfter(seconds: number): Promise<string[]> {
  const timeout = '/usr/bin/timeout';
  const there = await open(timeout, 'r').then(
    (handle) => handle.close().then(() => true),
    () => false,
  );
  return there ? [timeout, '--foreground', '--signal=KILL', String(Math.ceil(seconds))] : [];
}

function ended(exitCode: number, words: string): UnitState {
  const killed =
    exitCode === 137 ? 'The worker was killed: for memory, at its deadline, or by somebody on the machine' : '';
  const failed = `The worker ended with exit code ${exitCode}${words ? `: ${words}` : ''}`;
  return {
    kind: 'exited',
    exitCode,
    outOfMemory: false,
    reason: exitCode === 0 ? 'The worker has ended' : killed || failed,
  };
}

function asLaunchError(error: unknown): unknown {
  if (error instanceof HangarError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return new HangarError('disk_full', { cause: error });
  return new HangarError('launch_failed', { message: `The worker could not be started: ${detail}.`, cause: error });
}
