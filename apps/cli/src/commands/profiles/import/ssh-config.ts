import { HangarError } from '@hangar/contract/errors';
import { cannotBe } from './import-words.ts';

export interface SshHop {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}
export interface SshFound extends SshHop {
  /** In the order in which they are passed. */
  readonly jump: readonly SshHop[];
  /** As the configuration says; `~` is the home folder. */
  readonly identityFiles: readonly string[];
}

/** Deeper than anybody's way, and an end for machines that name each other. */
const MOST_JUMPS = 5;

/** What `ssh -G` answers: names in small letters, each once or more. */
type Answer = ReadonlyMap<string, readonly string[]>;

function parsed(text: string): Answer {
  const found = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/)) {
    const at = line.indexOf(' ');
    if (at < 1) continue;
    const name = line.slice(0, at);
    found.set(name, [...(found.get(name) ?? []), line.slice(at + 1).trim()]);
  }
  return found;
}

/** The way to a host as ~/.ssh/config describes it. `ask` answers `ssh -G` for a host, which may name user and port. */
export async function readSshHost(host: string, ask: (args: readonly string[]) => Promise<string>): Promise<SshFound> {
  const look = async (name: string, more: readonly string[]): Promise<Answer> => {
    if (name === '' || name.startsWith('-'))
      throw new HangarError('usage', {
        message: `${JSON.stringify(name)} is not a host.`,
        wayOut: 'Name one of ~/.ssh/config.',
      });
    return parsed(await ask(['-G', ...more, '--', name]));
  };
  const answer = await look(host, []);
  refuseOthers(host, answer);
  const files = identities(answer);
  const jump: SshHop[] = [];
  const visit = async (way: string): Promise<void> => {
    for (const [index, hop] of way.split(',').entries()) {
      if (jump.length >= MOST_JUMPS) throw cannotBe(host, `its way has more than ${MOST_JUMPS} machines`, SHORTER);
      const { name, args } = hopArgs(hop);
      const found = await look(name, args);
      refuseOthers(name, found);
      // Each machine has a way of its own up to it; of those in a row the first alone.
      const before = one(found, 'proxyjump');
      if (index === 0 && before !== null) await visit(before);
      if (jump.length >= MOST_JUMPS) throw cannotBe(host, `its way has more than ${MOST_JUMPS} machines`, SHORTER);
      // Where none is configured ssh tries those of its own; whether the one that is sent opens it, the test of the profile tells.
      const own = identities(found).find((file) => !/\/\.ssh\/id_[a-z0-9_]+$/.test(file));
      if (own !== undefined && files[0] !== undefined && own !== files[0])
        throw cannotBe(
          host,
          `${name} on its way has another key, ${own}`,
          'Let one key open all, or make the profile with profiles create.',
        );
      jump.push(machine(name, found));
    }
  };
  const way = one(answer, 'proxyjump');
  if (way !== null) await visit(way);
  return { ...machine(host, answer), jump, identityFiles: files };
}

const SHORTER = 'Name a nearer machine with ProxyJump.';

/** The first value, where it is one. */
function one(answer: Answer, name: string): string | null {
  const value = answer.get(name)?.[0];
  return value === undefined || value === '' || value.toLowerCase() === 'none' ? null : value;
}

const machine = (name: string, answer: Answer): SshHop => ({
  host: one(answer, 'hostname') ?? name,
  port: Number(one(answer, 'port') ?? 22),
  user: one(answer, 'user') ?? 'root',
});

const identities = (answer: Answer): string[] =>
  (answer.get('identityfile') ?? []).filter((file) => file.toLowerCase() !== 'none');

/** What changes how the machine is reached, and has no field. */
const OTHERS: Readonly<Record<string, string>> = {
  proxycommand: 'ProxyCommand',
  pkcs11provider: 'PKCS11Provider',
  certificatefile: 'CertificateFile',
  hostkeyalias: 'HostKeyAlias',
};

function refuseOthers(host: string, answer: Answer): void {
  for (const [name, written] of Object.entries(OTHERS)) {
    const value = one(answer, name);
    if (value !== null)
      throw cannotBe(
        host,
        `~/.ssh/config has ${written} ${value}, and a profile has no such setting`,
        'An admin may use the configuration of the server: hangar profiles create NAME --driver ssh --host HOST --set fromConfig=true',
      );
  }
}

/** `[user@]host[:port]` or `ssh://…`, as ProxyJump takes it. */
function hopArgs(hop: string): { name: string; args: string[] } {
  const match = /^(?:ssh:\/\/)?(?:([^@]+)@)?(\[[^\]]+\]|[^:]+|[^:]*:[^:]*:.*)(?::(\d+))?\/?$/.exec(hop.trim());
  const [, user, host = '', port] = match ?? [];
  return {
    name: host.replace(/^\[(.*)\]$/, '$1'),
    args: [...(user === undefined ? [] : ['-l', user]), ...(port === undefined ? [] : ['-p', port])],
  };
}
