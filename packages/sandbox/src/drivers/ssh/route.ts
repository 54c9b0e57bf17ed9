import { SshSettings } from '@hangar/contract';

/** One machine on the way, by the name that it has in our configuration. */
export interface Hop {
  readonly alias: string;
  readonly host: string;
  /** Null: what the configuration of the account says. */
  readonly port: number | null;
  readonly user: string | null;
  /** `host:port`, for people; the name alone where the port is not known here. */
  readonly machine: string;
}

/** The way to a machine: the jump hosts in order, then itself. */
export type Route = readonly [...Hop[], Hop];

const DEFAULTS = SshSettings.parse({ host: 'unused' });

export function routeOf(settings: SshSettings): Route {
  const { fromConfig } = settings;
  const jumps = settings.jump.map((hop, index) => ({
    ...{ alias: `hangar-jump-${index + 1}`, host: hop.host, port: hop.port, user: hop.user ?? settings.user },
    machine: place(hop.host, hop.port),
  }));
  const portIsTheirs = fromConfig && settings.port === DEFAULTS.port;
  const target = {
    // A name of the account's own configuration has to stay as it is to be found there; what is not said in the profile it may say.
    alias: fromConfig ? settings.host : 'hangar-machine',
    host: settings.host,
    port: portIsTheirs ? null : settings.port,
    user: fromConfig && settings.user === DEFAULTS.user ? null : settings.user,
    machine: portIsTheirs ? settings.host : place(settings.host, settings.port),
  };
  return [...jumps, target];
}

const place = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

/**
 * Under what the host keys of a profile are kept. The whole way belongs to it: behind two jump hosts the same address may be two machines.
 */
export const hostKeyAddress = (settings: SshSettings): string =>
  routeOf(settings)
    .map(({ machine }) => machine)
    .join(' > ');

/** As ssh itself writes it into known_hosts. */
const hostKeyName = ({ host, port }: Hop): string => (port === null || port === 22 ? host : `[${host}]:${port}`);

export interface ConfigFiles {
  /** Of the private key; null where the account's own keys are used. */
  readonly key: string | null;
  readonly config: string;
  readonly knownHosts: string;
  /** What the ssh of a hop says. */
  readonly words: (alias: string) => string;
}

/** What no settings change: nobody is asked, nothing is passed on, nothing runs here. First, because in ssh_config the first value holds. */
const ALWAYS = `
  BatchMode yes
  NumberOfPasswordPrompts 0
  PasswordAuthentication no
  KbdInteractiveAuthentication no
  ForwardAgent no
  ForwardX11 no
  ClearAllForwardings yes
  ExitOnForwardFailure yes
  Tunnel no
  PermitLocalCommand no
  RemoteCommand none
  RequestTTY no
  EscapeChar none
  ControlPath none
  AddKeysToAgent no
  UpdateHostKeys no
  HashKnownHosts no
  CheckHostIP no
  VerifyHostKeyDNS no
  GlobalKnownHostsFile /dev/null
  ConnectionAttempts 1
  ConnectTimeout 10
  ServerAliveInterval 8
  ServerAliveCountMax 2
  LogLevel ERROR
`;

/** Only of a profile that brings its key: nothing of the account that this server runs as takes part. */
const ALONE = `
  PreferredAuthentications publickey
  IdentitiesOnly yes
  IdentityAgent none
  CanonicalizeHostname no
`;

/**
 * The configuration for one way, for `-F`: jump hosts read the same file, which `ProxyJump` on the command line would not give them. It holds
 * only words of ours and values that their schema has checked: no blank, quote, percent sign or line end is among them. The command that
 * leads through a jump host is ours as well, for what each ssh says has to go to a file of its own to be told apart.
 */
export function configOf(
  route: Route,
  files: ConfigFiles,
  o: { fromConfig: boolean; firstContact: boolean; address?: string | null },
): string {
  const blocks = route.map((hop, index) => {
    const before = route[index - 1];
    return [
      `Host ${hop.alias}`,
      // Why it does not reach the next one a jump host says in passing.
      hop === route.at(-1) ? '' : '  LogLevel INFO',
      // Its host keys stay those of its name. What lies behind another machine that one looks up.
      ...(index === 0 && o.address
        ? [`  HostName ${o.address}`, `  HostKeyAlias ${hostKeyName(hop)}`]
        : [`  HostName ${hop.host}`]),
      hop.port === null ? '' : `  Port ${hop.port}`,
      hop.user === null ? '' : `  User ${hop.user}`,
      before ? `  ProxyCommand ssh -F ${files.config} -E ${files.words(before.alias)} -W [%h]:%p ${before.alias}` : '',
    ];
  });
  // With the account's own configuration a name may stand for another address there.
  if (o.fromConfig) blocks[blocks.length - 1] = blocks.at(-1)?.filter((line) => !line.startsWith('  HostName ')) ?? [];
  const everywhere = [
    'Host *',
    `  UserKnownHostsFile ${files.knownHosts}`,
    `  StrictHostKeyChecking ${o.firstContact ? 'accept-new' : 'yes'}`,
    files.key === null ? '' : `  IdentityFile ${files.key}\n  IdentitiesOnly yes`,
    ALWAYS,
    o.fromConfig ? 'Include config\nInclude /etc/ssh/ssh_config' : ALONE,
  ];
  return [...blocks.flat(), ...everywhere]
    .filter((line) => line !== '')
    .join('\n')
    .replace(/\n+/g, '\n')
    .concat('\n');
}
