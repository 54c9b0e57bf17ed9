import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type DriverName, HangarError, isLocalHost, proxyFor, SshSettings } from '@hangar/contract';

const LOOKUP_MS = 10_000;

export interface HostRules {
  /** Also the machine of the server itself, its network link and metadata services. */
  readonly allowLocal: boolean;
  /** Says whether a proxy resolves names in place of the server. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The system's resolver when left out. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
}

interface Host {
  readonly name: string;
  /** The server itself looks it up: not one behind another machine, not one a proxy is asked for. */
  readonly direct: boolean;
}

/** Where the settings of a personal profile lead. */
function hostsOf(driver: DriverName, settings: Readonly<Record<string, unknown>>, env: HostRules['env']): Host[] {
  const of = (url: string): Host => {
    const { hostname } = new URL(url);
    return { name: hostname.replace(/^\[(.*)\]$/, '$1'), direct: proxyFor(url, env) === null };
  };
  const urls = [settings.apiUrl, settings.sandboxUrl].filter((url) => typeof url === 'string').map(of);
  if (driver === 'ssh') {
    const { host, jump } = SshSettings.parse(settings);
    const way = [...jump.map((each) => each.host), host];
    return way.map((name, index) => ({ name, direct: index === 0 }));
  }
  // What stands below a domain: its API, and one name for each sandbox.
  const domain = typeof settings.domain === 'string' ? settings.domain : null;
  if (driver !== 'e2b' || domain === null) return urls;
  const below = [
    ...(settings.apiUrl === undefined ? [`https://api.${domain}`] : []),
    ...(settings.sandboxUrl === undefined ? [`https://49983-hangar.${domain}`] : []),
  ];
  return [{ name: domain, direct: false }, ...urls, ...below.map(of)];
}

/**
 * Personal profiles lead away from the server: what they name is looked at, however it is spelled, and every address that it has. With
 * `must` a host that nobody knows is refused as well: it may have another address a moment later.
 * @throws HangarError profile_host_refused, driver_unavailable
 */
export async function refuseLocal(
  profile: { readonly driver: DriverName; readonly settings: Readonly<Record<string, unknown>> },
  rules: HostRules,
  o: { readonly must: boolean },
): Promise<void> {
  if (rules.allowLocal) return;
  const hosts = hostsOf(profile.driver, profile.settings, rules.env);
  for (const { name } of hosts) if (isLocalHost(name)) throw refused(name, name);
  const lookup = rules.lookup ?? lookUp;
  await Promise.all(
    hosts.map(async ({ name, direct }) => {
      const addresses = await inTime(lookup(name)).catch((cause: unknown) => {
        if (!direct || !o.must) return [];
        throw new HangarError('driver_unavailable', { message: `The host ${name} is not known.`, cause });
      });
      for (const address of addresses) if (isLocalHost(address)) throw refused(name, address);
    }),
  );
}

/**
 * The addresses of a host, each looked at: whoever connects goes to one of them, so that a second answer of the name server counts for
 * nothing. @throws HangarError profile_host_refused, driver_unavailable
 */
export async function addressesFor(host: string, rules: HostRules): Promise<readonly string[]> {
  if (isLocalHost(host)) throw refused(host, host);
  const addresses = await inTime((rules.lookup ?? lookUp)(host)).catch((cause: unknown) => {
    throw new HangarError('driver_unavailable', { message: `The host ${host} is not known.`, cause });
  });
  for (const address of addresses) if (isLocalHost(address)) throw refused(host, address);
  return addresses.filter((address) => isIP(address) !== 0);
}

const refused = (host: string, address: string): HangarError =>
  new HangarError('profile_host_refused', {
    message: `A personal profile may not reach ${host === address ? host : `${host} (${address})`}: it is the machine of the server itself, its network link or a metadata service.`,
  });

const lookUp = async (host: string): Promise<string[]> =>
  (await systemLookup(host, { all: true })).map(({ address }) => address);

/** The resolver of the system cannot be told to stop. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer in ${LOOKUP_MS} ms`)), LOOKUP_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
