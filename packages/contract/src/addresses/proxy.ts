import { HangarError } from '../errors.ts';
import { parseV4, parseV6 } from './ip-address.ts';
import { isLocalHost } from './repo-address.ts';

/** The variables that say which proxy to use. */
export const PROXY_VARIABLES = ['https_proxy', 'http_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [
  name,
  name.toUpperCase(),
]);

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that a call to `target` goes through, or null. As curl reads the environment: HTTPS_PROXY or HTTP_PROXY by the scheme, else
 * ALL_PROXY, each in lower case first; NO_PROXY names what is asked directly: hosts with all below them, addresses, networks
 * (10.0.0.0/8), each with a port or without, or `*`. This machine itself is asked directly unless the proxy runs on it too: seen
 * from anywhere else, 127.0.0.1 is another machine.
 * @throws HangarError proxy_invalid
 */
export function proxyFor(target: URL | string, env: Variables): URL | null {
  const { protocol, hostname, port } = new URL(target);
  if (protocol !== 'https:' && protocol !== 'http:') return null;
  const scheme = protocol.slice(0, -1);
  const found = [`${scheme}_proxy`, 'all_proxy']
    .flatMap((name) => [name, name.toUpperCase()])
    .find((name) => env[name]?.trim());
  if (found === undefined) return null;
  const host = bare(hostname);
  if (isExempt(host, port || (scheme === 'https' ? '443' : '80'), env.no_proxy?.trim() || env.NO_PROXY || ''))
    return null;
  const proxy = parseProxy(found, env[found]?.trim() ?? '');
  return isLocalHost(host) && !isLocalHost(proxy.hostname) ? null : proxy;
}

/** Passwords that stand in the addresses of proxies. */
export function proxyPasswords(env: Variables): string[] {
  return PROXY_VARIABLES.flatMap((name) => {
    const written = /^(?:[a-z][a-z0-9+.-]*:\/\/)?[^/@]*?:([^/]*)@/i.exec(env[name] ?? '')?.[1];
    if (!written) return [];
    try {
      return [written, decodeURIComponent(written)];
    } catch {
      return [written];
    }
  });
}

function parseProxy(name: string, value: string): URL {
  // The value may hold a password: it is not repeated.
  const refuse = (why: string) => new HangarError('proxy_invalid', { message: `${name} ${why}` });
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(full)) throw refuse('is no address of a proxy.');
  const proxy = new URL(full);
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:')
    throw refuse(`names a proxy of the kind ${proxy.protocol.slice(0, -1)}, which is not supported.`);
  return proxy;
}

function isExempt(host: string, port: string, list: string): boolean {
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || exempts(entry.toLowerCase(), host, port));
}

function exempts(entry: string, host: string, port: string): boolean {
  // host:port, [address]:port. An address of IPv6 has colons of its own.
  const withPort = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry);
  if (withPort && withPort[2] !== port) return false;
  const [name = '', bits] = (withPort?.[1] ?? entry).split('/');
  const wanted = bare(name.replace(/^\*?\./, ''));
  if (wanted === '') return false;
  const network = addressOf(wanted);
  if (network === null) return bits === undefined && (host === wanted || host.endsWith(`.${wanted}`));
  const address = addressOf(host);
  if (address === null || address.size !== network.size) return false;
  const length = bits === undefined ? network.size : /^\d+$/.test(bits) ? Number(bits) : Number.NaN;
  if (!(length >= 0 && length <= network.size)) return false;
  const beyond = BigInt(network.size - length);
  return address.value >> beyond === network.value >> beyond;
}

/** An address as one number; IPv4 inside IPv6 is IPv4. */
function addressOf(host: string): { readonly size: number; readonly value: bigint } | null {
  const v4 = parseV4(host);
  if (v4 !== null) return { size: 32, value: BigInt(v4) };
  const groups = parseV6(host);
  if (groups === null) return null;
  const value = groups.reduce((sum, group) => sum * 65_536n + BigInt(group), 0n);
  return value >> 32n === 0xffffn ? { size: 32, value: value & 0xffff_ffffn } : { size: 128, value };
}

/** Lower case, without brackets and the final dot. */
const bare = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.+$/, '');
