import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { HangarError } from '@hangar/contract';

const CALL_MS = 5_000;

/** Of the environment of the server ssh gets only these: the others may be secrets. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SSH_AUTH_SOCK'];

export type Environment = Readonly<Record<string, string>>;

export function environmentOfSsh(env: Readonly<Record<string, string | undefined>>): Environment {
  const passed = PASSED_ON.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  // ssh runs what leads through a jump host with SHELL, and words its errors by the locale.
  return { ...Object.fromEntries(passed), SHELL: '/bin/sh', LC_ALL: 'C' };
}

/** The streams of one ssh. An input that nobody reads is no error: how it ended says more. @throws HangarError driver_unavailable */
export function spawnSsh(args: readonly string[], env: Environment): ChildProcessWithoutNullStreams {
  const child = spawn('ssh', args, { env });
  child.on('error', () => undefined);
  // Node makes no streams for what it found no descriptors for.
  if ((child.stdin as unknown) === undefined) throw noClient('EMFILE');
  child.stdin.on('error', () => undefined);
  return child;
}

/** Runs a program of OpenSSH that says all with its exit code. Null when it was killed, did not end in time, or is not there. */
export async function exitCodeOf(
  program: 'ssh' | 'ssh-keygen',
  args: readonly string[],
  env: Environment,
): Promise<number | null> {
  const child = spawn(program, args, { env, stdio: 'ignore', timeout: CALL_MS, killSignal: 'SIGKILL' });
  return new Promise((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', resolve);
  });
}

/** Arguments of an ssh that goes through the socket of a master and, where there is none, nowhere: it never connects by itself. */
export const through = (socket: string): string[] => [
  ...['-F', '/dev/null', '-S', socket, '-o', 'ControlMaster=no', '-o', 'ProxyCommand=false', '-o', 'BatchMode=yes'],
  ...['-o', 'LogLevel=ERROR', '-o', 'EscapeChar=none', '-o', 'ForwardAgent=no', '-o', 'ForwardX11=no'],
];

/** The name of a machine where none is needed, for the socket says which. */
export const NAME = 'hangar-machine';

/** Asks a master something by its socket; false when nobody answers there. */
export const askMaster = async (env: Environment, socket: string, what: 'check' | 'exit'): Promise<boolean> =>
  (await exitCodeOf('ssh', [...through(socket), '-O', what, NAME], env)) === 0;

export const noClient = (code: string): HangarError =>
  new HangarError('driver_unavailable', {
    message: `The program ssh cannot be started on the machine of this server: ${code}.`,
    ...(code === 'ENOENT' ? { wayOut: 'Install the OpenSSH client there.' } : {}),
  });

/** What it ended with that never began: ENOENT, EAGAIN; null for one that began. */
export function watchStart(child: ChildProcessWithoutNullStreams): () => string | null {
  let code: string | null = null;
  child.on('error', (error: NodeJS.ErrnoException) => {
    if (child.pid === undefined) code = error.code ?? error.message;
  });
  return () => code;
}
