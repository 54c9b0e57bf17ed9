/**
 * Which places a repository URL must not name: those that only answer because of where the worker runs. They are the machine itself
 * (loopback, "this host"), its network link (link-local, where clouds keep their metadata) and what no git server has (multicast).
 * Private ranges are not among them: a git server of one's own is the usual case.
 */
import { parseV4, parseV6 } from './ip-address.ts';

/** Names that mean the machine itself or the metadata of its cloud, whatever a resolver says. */
const LOCAL_NAMES = new Set([
  'localhost',
  'localhost.localdomain',
  'localhost4',
  'localhost6',
  'ip6-localhost',
  'ip6-loopback',
  'host.docker.internal',
  'gateway.docker.internal',
  'kubernetes.docker.internal',
  'host.containers.internal',
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
]);

/** Network and number of leading bits. The single addresses at the end are metadata services outside of link-local. */
const LOCAL_V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['192.0.0.192', 32],
];

/** The host a repository URL names, lower case, without brackets and the final dot; null when it is no URL Hangar can clone. */
export function repoHost(url: string): string | null {
  const scp = /^([^@/:\s]+)@([^:/\s]+):/.exec(url);
  const isUrl = /^(https?|ssh):\/\//i.test(url);
  if (!isUrl && scp === null) return null;
  let host: string;
  if (isUrl) {
    try {
      const parsed = new URL(url);
      if (/^(-|%2d)/i.test(parsed.username)) return null;
      host = parsed.hostname;
    } catch {
      return null;
    }
  } else {
    host = scp?.[2] ?? '';
    if (scp?.[1]?.startsWith('-')) return null;
  }
  host = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  // What ssh is given must be a plain name: nothing encoded, and never an option.
  if (!/^[a-z0-9_]([a-z0-9._-]*)$/.test(host) && parseV6(host) === null) return null;
  return host.replace(/\.+$/, '') || null;
}

/** Whether a name or an address, however it is spelled, is one of the places above. A name is not looked up. */
export function isLocalHost(host: string): boolean {
  const name = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.+$/, '');
  if (LOCAL_NAMES.has(name) || name.endsWith('.localhost')) return true;
  const v4 = parseV4(name);
  if (v4 !== null) return isLocalV4(v4);
  const v6 = parseV6(name);
  return v6 !== null && isLocalV6(v6);
}

function isLocalV4(address: number): boolean {
  return LOCAL_V4.some(([network, bits]) => {
    const from = parseV4(network) ?? 0;
    return Math.floor(address / 2 ** (32 - bits)) === Math.floor(from / 2 ** (32 - bits));
  });
}

function isLocalV6(groups: readonly number[]): boolean {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const zeroTo = (n: number) => groups.slice(0, n).every((group) => group === 0);
  // Unspecified and ::1, and an IPv4 address in its old compatible form.
  if (zeroTo(6)) return g === 0 ? h <= 1 || isLocalV4(h) : isLocalV4(g * 65_536 + h);
  if (zeroTo(5) && f === 0xffff) return isLocalV4(g * 65_536 + h);
  if (zeroTo(4) && e === 0xffff && f === 0) return isLocalV4(g * 65_536 + h);
  // Translated to IPv4 on its way: NAT64 and 6to4.
  if (a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0) return isLocalV4(g * 65_536 + h);
  if (a === 0x2002) return isLocalV4(b * 65_536 + c);
  // Link-local, multicast, and the metadata of two clouds in their unique local ranges.
  return (
    (a & 0xffc0) === 0xfe80 || (a & 0xff00) === 0xff00 || (a === 0xfd00 && b === 0xec2) || (a === 0xfd20 && b === 0xce)
  );
}
