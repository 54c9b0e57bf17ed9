import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { HangarError } from '@hangar/contract';
import { holdCommand } from '../../brought/hold.ts';
import { foldersAbove, isSystemPath, systemView } from './system-view.ts';
import type { UnitFolder } from './unit-folder.ts';

const run = promisify(execFile);
const SEARCH = ['/usr/bin', '/usr/local/bin', '/bin', '/run/current-system/sw/bin'];
/** First of the accounts that units get when the server is root; nobody else should have them. */
const FIRST_ACCOUNT = 62_000;
const ACCOUNTS = 2_000;

/** Where things are inside. */
export const INSIDE = {
  work: '/job',
  home: '/home/job',
  socket: '/run/hangar/socket',
  node: '/run/hangar/bin/node',
  programs: '/run/hangar/bin',
} as const;

/** What is needed to run bubblewrap on this machine. */
export interface Bubblewrap {
  readonly program: string;
  readonly version: string;
  /**
   * As root a unit gets an account of its own, because root without capabilities is still the owner of /etc/shadow
   * and of /proc/sys. As an ordinary user it stays that user, in a user namespace.
   */
  readonly asRoot: { readonly setpriv: string; readonly prlimit: string | null } | null;
}

export type BubblewrapHere = { readonly found: Bubblewrap } | { readonly found: null; readonly why: string };

/** Finds bubblewrap and tries it: many machines have it and forbid what it needs. */
export async function findBubblewrap(signal: AbortSignal): Promise<BubblewrapHere> {
  if (process.platform !== 'linux') return { found: null, why: 'bubblewrap exists on Linux only' };
  const program = await findProgram('bwrap');
  if (!program) return { found: null, why: 'bubblewrap is not installed; install the package bubblewrap' };
  const setpriv = await findProgram('setpriv');
  const isRoot = process.getuid?.() === 0;
  if (isRoot && !setpriv) return { found: null, why: 'setpriv is not installed; install the package util-linux' };
  const prlimit = await findProgram('prlimit');
  try {
    const { stdout } = await run(program, ['--version'], { timeout: 10_000, signal });
    const version = stdout.trim().split(' ').at(-1) ?? '';
    const found: Bubblewrap = { program, version, asRoot: isRoot && setpriv ? { setpriv, prlimit } : null };
    const [command, ...args] = [...(await walls(found)), '--', ...becomeAccount(found, FIRST_ACCOUNT), 'true'];
    await run(command ?? program, args, { timeout: 10_000, signal, env: {} });
    return { found };
  } catch (error) {
    signal.throwIfAborted();
    return { found: null, why: `bubblewrap does not work here: ${firstLine(error)}` };
  }
}

export interface Room {
  readonly folder: UnitFolder;
  readonly account: number | null;
  readonly runs: RunsInside;
  /** Folders outside the system that are shown read-only. */
  readonly show: readonly string[];
  /** Folders that must never be seen even when they lie within something shown. */
  readonly hide: readonly string[];
  readonly pids: number;
}

/** What runs in a room: a program that was brought, with what it needs, or a holder, which gets nothing of Hangar's. */
export type RunsInside =
  | {
      readonly kind: 'brought';
      readonly name: string;
      readonly programFile: string;
      readonly nodeFile: string;
      readonly socketDir: string | null;
    }
  | { readonly kind: 'hold' };

/**
 * Of a holder: where bubblewrap says which process its namespaces are entered by, and where it itself says that it has begun. Both
 * are one file, in which the second comes after the first.
 */
export const HOLDER_FDS = { namespaces: 3, begun: 4 } as const;

/** The command line that runs a program in a room of its own. */
export async function bubblewrapCommand(bubblewrap: Bubblewrap, room: Room): Promise<string[]> {
  const { folder } = room;
  const hide: string[] = [];
  for (const secret of room.hide) if (isSystemPath(secret)) hide.push('--tmpfs', secret);
  const limit = bubblewrap.asRoot?.prlimit ? [bubblewrap.asRoot.prlimit, `--nproc=${room.pids}:${room.pids}`] : [];
  return [
    ...limit,
    ...(await walls(bubblewrap)),
    ...hide,
    ...foldersAbove(INSIDE.work, INSIDE.home, '/var/tmp', ...(room.runs.kind === 'hold' ? [] : FOR_BROUGHT)),
    ...['--ro-bind', path.join(folder.root, 'passwd'), '/etc/passwd'],
    ...['--ro-bind', path.join(folder.root, 'group'), '/etc/group'],
    ...['--bind', folder.tmp, '/tmp', '--bind', folder.tmp, '/var/tmp'],
    ...['--bind', folder.home, INSIDE.home, '--bind', folder.work, INSIDE.work],
    ...foldersAbove(...room.show),
    ...room.show.flatMap((shown) => ['--ro-bind-try', shown, shown]),
    ...broughtInside(room.runs),
    ...(room.account === null ? ['--chdir', INSIDE.work, '--'] : ['--']),
    ...becomeAccount(bubblewrap, room.account),
    // Before it is that account, bubblewrap may not enter the folder.
    ...(room.account === null ? [] : ['/usr/bin/env', `--chdir=${INSIDE.work}`]),
    ...(room.runs.kind === 'hold'
      ? holdCommand({ seconds: null, begunFd: HOLDER_FDS.begun })
      : [INSIDE.node, programInside(room.runs.name)]),
  ];
}

const FOR_BROUGHT = [INSIDE.socket, INSIDE.node];
const programInside = (name: string): string => `/run/hangar/${name}.mjs`;

function broughtInside(runs: RunsInside): string[] {
  if (runs.kind === 'hold') return ['--info-fd', String(HOLDER_FDS.namespaces)];
  const { socketDir, nodeFile } = runs;
  const program = programInside(runs.name);
  return [
    ...(socketDir === null ? [] : ['--ro-bind', socketDir, INSIDE.socket]),
    ...['--ro-bind', runs.programFile, program],
    ...(isSystemPath(nodeFile) ? ['--symlink', nodeFile, INSIDE.node] : ['--ro-bind', nodeFile, INSIDE.node]),
  ];
}

/**
 * Namespaces for everything but the network, which agents need. `--die-with-parent` ties it to the starting shell, not
 * to the server; the end of process 1 inside is the end of everything that the unit started, wherever it hid.
 */
async function walls(bubblewrap: Bubblewrap): Promise<string[]> {
  return [
    bubblewrap.program,
    ...[
      '--die-with-parent',
      '--new-session',
      '--unshare-pid',
      '--unshare-ipc',
      '--unshare-uts',
      '--unshare-cgroup-try',
    ],
    ...['--hostname', 'hangar-job'],
    ...(bubblewrap.asRoot
      ? ['--cap-drop', 'ALL', '--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID', '--cap-add', 'CAP_SETPCAP']
      : ['--unshare-user', '--uid', '1000', '--gid', '1000']),
    ...(await systemView()),
    ...['--proc', '/proc', '--dev', '/dev'],
  ];
}

function becomeAccount(bubblewrap: Bubblewrap, account: number | null): string[] {
  if (!bubblewrap.asRoot || account === null) return [];
  const who = ['--reuid', String(account), '--regid', String(account), '--clear-groups'];
  return [bubblewrap.asRoot.setpriv, ...who, '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
}

/** What stands before a program that joins those in a room: by the process whose namespaces are its. @throws HangarError unsupported */
export async function enterCommand(pid: number, account: number | null): Promise<string[]> {
  const [nsenter, setpriv] = await Promise.all([findProgram('nsenter'), findProgram('setpriv')]);
  if (nsenter === null || setpriv === null)
    throw new HangarError('unsupported', {
      message: 'A sandbox on this machine is entered by nsenter and setpriv, which are not installed.',
      wayOut: 'Install the package util-linux.',
    });
  const namespaces = [
    '--mount',
    '--pid',
    '--ipc',
    '--uts',
    ...(account === null ? ['--user', '--preserve-credentials'] : []),
  ];
  const who =
    account === null
      ? []
      : ['--reuid', String(account), '--regid', String(account), '--clear-groups', '--no-new-privs'];
  return [
    ...[nsenter, '--target', String(pid), ...namespaces, '--'],
    ...[setpriv, ...who, '--bounding-set=-all', '--inh-caps=-all'],
    ...['/usr/bin/env', `--chdir=${INSIDE.work}`],
  ];
}

/** The same unit always gets the same account; different ones nearly always different ones. */
export async function accountOf(unitName: string): Promise<number> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const taken = new Set(passwd.split('\n').map((line) => Number(line.split(':')[2])));
  const start = createHash('sha256').update(unitName).digest().readUInt32BE(0) % ACCOUNTS;
  for (let i = 0; i < ACCOUNTS; i += 1) {
    const account = FIRST_ACCOUNT + ((start + i) % ACCOUNTS);
    if (!taken.has(account)) return account;
  }
  return FIRST_ACCOUNT + start;
}

/** Files that give the account a name: ssh and others refuse to run without one. */
export function accountFiles(account: number): { passwd: string; group: string } {
  return {
    passwd: `root:x:0:0:root:/root:/bin/sh\njob:x:${account}:${account}:job:${INSIDE.home}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n`,
    group: `root:x:0:\njob:x:${account}:\nnogroup:x:65534:\n`,
  };
}

/** The account that an ordinary user has inside. */
export const USER_INSIDE = 1000;

async function findProgram(name: string): Promise<string | null> {
  for (const folder of SEARCH) {
    const file = path.join(folder, name);
    const there = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return file;
  }
  return null;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error && error.stderr ? String(error.stderr) : String(error);
  return (text.trim().split('\n')[0] ?? '').slice(0, 200);
}
