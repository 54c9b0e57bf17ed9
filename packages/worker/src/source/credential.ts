import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkOrder } from '@hangar/contract';
import { HangarError, repoHost } from '@hangar/contract';

const SOCKET_DIRS = ['/tmp', '/var/tmp'];
const MAX_SOCKET_PARENT = 80;
const AGENT_START_MS = 5000;

export type GitCredential = NonNullable<WorkOrder['credential']>;

/** How git is told about a credential, for as long as the clone takes. Nothing in it is secret. */
export interface GitAccess {
  readonly config: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface CredentialHelper {
  /** Program and arguments that, with a socket path added, run `answerGit`. */
  readonly argv: readonly string[];
}

/** Where a repository is, with a user and password that stood in the URL taken out of it. */
export interface Remote {
  readonly url: string;
  readonly protocol: 'http' | 'https' | 'ssh';
  /** With the port if one is named; what git will ask for. */
  readonly host: string;
  readonly credential: GitCredential | null;
}

export function parseRemote(raw: string, credential: GitCredential | null): Remote {
  if (repoHost(raw) === null) throw new HangarError('repo_url_invalid');
  if (!/^(https?|ssh):\/\//.test(raw)) {
    const host = /^[^@/:]+@([^:/]+):/.exec(raw)?.[1];
    if (host === undefined) throw new HangarError('repo_url_invalid');
    return { url: raw, protocol: 'ssh', host, credential };
  }
  let url: URL;
  try {
    url = new URL(raw);
  } catch {
    throw new HangarError('repo_url_invalid');
  }
  const protocol = url.protocol === 'ssh:' ? 'ssh' : url.protocol === 'https:' ? 'https' : 'http';
  const inside: GitCredential | null =
    protocol !== 'ssh' && (url.username !== '' || url.password !== '')
      ? {
          kind: 'https-token',
          host: url.host,
          username: decodeURIComponent(url.password === '' ? 'x-access-token' : url.username),
          value: decodeURIComponent(url.password === '' ? url.username : url.password),
          knownHosts: null,
        }
      : null;
  url.password = '';
  if (protocol !== 'ssh') url.username = '';
  return { url: url.href, protocol, host: url.host, credential: credential ?? inside };
}

/** Opens a credential for one remote. The secret stays in this process and in ssh-agent's; never in a file or argument. */
export async function openAccess(
  remote: Remote,
  o: { helper: CredentialHelper; privateDir: string; ssh: readonly string[]; path: string; signal: AbortSignal },
): Promise<GitAccess> {
  const credential = remote.credential;
  if (remote.protocol === 'ssh') return openSsh(credential?.kind === 'ssh-key' ? credential : null, o);
  if (credential?.kind !== 'https-token') return { config: [], env: {}, close: async () => undefined };
  return openHelper(remote, credential, o);
}

async function openHelper(
  remote: Remote,
  credential: GitCredential,
  { helper, privateDir }: { helper: CredentialHelper; privateDir: string },
): Promise<GitAccess> {
  const dir = await privateSocketDir(privateDir);
  const socket = join(dir, 'git');
  const server = createServer((connection) => {
    let asked = '';
    connection.setEncoding('utf8');
    connection.setTimeout(10_000, () => connection.destroy());
    connection.on('error', () => undefined);
    connection.on('data', (text: string) => {
      asked += text;
      if (asked.length > 64 * 1024) connection.destroy();
      if (!/(^|\n)\n/.test(asked)) return;
      connection.end(answer(asked, remote, credential));
    });
  });
  await listen(server, socket);
  const command = [...helper.argv, socket].map(quoteForShell).join(' ');
  return {
    // The value that begins with ! is git's own way to say: this is a command line.
    config: [`credential.helper=!${command}`, 'credential.useHttpPath=false'],
    env: {},
    close: async () => {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Only the host of this remote gets the token: not the target of a redirect, not a submodule elsewhere. */
function answer(asked: string, remote: Remote, credential: GitCredential): string {
  const fields = new Map(
    asked.split('\n').flatMap((line): [string, string][] => {
      const at = line.indexOf('=');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : [];
    }),
  );
  const bound = credential.host;
  const forThisHost = bound === null || bound === remote.host || bound === remote.host.replace(/:\d+$/, '');
  if (!forThisHost || fields.get('host') !== remote.host || fields.get('protocol') !== remote.protocol) return '\n';
  if (/[\r\n\0]/.test(credential.value)) return '\n';
  return `username=${credential.username ?? 'x-access-token'}\npassword=${credential.value}\n\n`;
}

async function openSsh(
  key: GitCredential | null,
  o: { privateDir: string; ssh: readonly string[]; path: string; signal: AbortSignal },
): Promise<GitAccess> {
  const knownHosts = join(o.privateDir, 'known_hosts');
  await writeFile(knownHosts, key?.knownHosts ? `${key.knownHosts.trimEnd()}\n` : '', { mode: 0o600 });
  const agent = key ? await startSshAgent(key, o) : null;
  const options = [
    'BatchMode=yes',
    'ConnectTimeout=20',
    'ServerAliveInterval=15',
    'ServerAliveCountMax=4',
    'IdentitiesOnly=yes',
    'PasswordAuthentication=no',
    'ForwardAgent=no',
    'PermitLocalCommand=no',
    `StrictHostKeyChecking=${key?.knownHosts ? 'yes' : 'accept-new'}`,
    `UserKnownHostsFile=${sshPath(knownHosts)}`,
    ...(key?.knownHosts ? ['GlobalKnownHostsFile=/dev/null'] : []),
    `IdentityAgent=${agent ? sshPath(agent.socket) : 'none'}`,
    `IdentityFile=${agent ? sshPath(agent.publicKey) : 'none'}`,
    ...o.ssh,
  ];
  return {
    config: [],
    env: {
      GIT_SSH_COMMAND: ['ssh', '-F', 'none', ...options.flatMap((option) => ['-o', option])]
        .map(quoteForShell)
        .join(' '),
      GIT_SSH_VARIANT: 'ssh',
    },
    close: async () => agent?.close(),
  };
}

async function startSshAgent(
  key: GitCredential,
  o: { privateDir: string; path: string; signal: AbortSignal },
): Promise<{ socket: string; publicKey: string; close(): Promise<void> }> {
  const dir = await privateSocketDir(o.privateDir);
  const socket = join(dir, 'ssh');
  const env = { PATH: o.path, SSH_AUTH_SOCK: socket, LC_ALL: 'C' };
  const child = spawn('ssh-agent', ['-D', '-a', socket], { env: { PATH: o.path }, stdio: 'ignore' });
  const close = async () => {
    child.kill('SIGTERM');
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await appears(socket, child, o.signal);
    const value = key.value.replaceAll('\r\n', '\n').trimEnd();
    const added = await pipeThrough('ssh-add', ['-q', '-'], env, `${value}\n`, o.signal);
    if (added.code !== 0)
      throw new HangarError('repo_auth_failed', {
        message: 'The SSH key of the credential cannot be read.',
        wayOut: 'Add a private key without a passphrase: hangar cloud credentials add NAME --kind ssh-key.',
      });
    const listed = await pipeThrough('ssh-add', ['-L'], env, '', o.signal);
    // With its public half in a file ssh offers this key and no other.
    const publicKey = join(o.privateDir, 'key.pub');
    await writeFile(publicKey, listed.out, { mode: 0o600 });
    return { socket, publicKey, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function appears(socket: string, child: ChildProcess, signal: AbortSignal): Promise<void> {
  let missing = false;
  child.on('error', () => {
    missing = true;
  });
  for (const end = performance.now() + AGENT_START_MS; performance.now() < end; ) {
    signal.throwIfAborted();
    if (missing) break;
    if (await stat(socket).catch(() => null)) return;
    await sleep(10);
  }
  throw new HangarError('repo_unreachable', {
    message: missing ? 'ssh is not installed where the job runs.' : 'ssh-agent does not start where the job runs.',
    wayOut: 'Use an https URL, or an image that has an ssh client.',
  });
}

function pipeThrough(
  file: string,
  args: readonly string[],
  env: Record<string, string>,
  input: string,
  signal: AbortSignal,
): Promise<{ code: number; out: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, signal, stdio: ['pipe', 'pipe', 'ignore'], timeout: 10_000 });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.on('error', reject);
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('close', (code) => resolve({ code: code ?? 255, out }));
  });
}

/** A short path: the name of a unix socket has room for about 100 bytes, a data directory may be longer. */
async function privateSocketDir(own: string): Promise<string> {
  for (const parent of own.length < MAX_SOCKET_PARENT ? [own, ...SOCKET_DIRS] : SOCKET_DIRS) {
    const dir = await mkdtemp(join(parent, 'hangar-')).catch(() => null);
    if (dir === null) continue;
    await chmod(dir, 0o700);
    return dir;
  }
  throw new HangarError('disk_full', { message: 'There is no place for a socket in /tmp.' });
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, () => {
      server.off('error', reject);
      chmod(socket, 0o600).then(resolve, reject);
    });
  });
}

/** ssh splits these values at spaces and expands %. */
const sshPath = (path: string): string => `"${path.replaceAll('%', '%%')}"`;

const quoteForShell = (word: string): string =>
  /^[A-Za-z0-9_./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** What `worker.mjs git-credential SOCKET get` does: asks the worker process and repeats its answer to git. */
export async function answerGit(socket: string, input: AsyncIterable<Buffer | string>): Promise<string> {
  const { connect } = await import('node:net');
  let asked = '';
  for await (const part of input) asked += part.toString();
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    let answered = '';
    connection.setEncoding('utf8').setTimeout(10_000, () => connection.destroy());
    connection.on('data', (text: string) => {
      answered += text;
    });
    connection.on('error', reject);
    connection.on('close', () => resolve(answered));
    connection.write(`${asked.trimEnd()}\n\n`);
  });
}
