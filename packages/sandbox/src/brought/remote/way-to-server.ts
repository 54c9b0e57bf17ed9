import { HangarError } from '@hangar/contract';

/**
 * How a program on another machine reaches this server.
 *
 * @param o.isHere the machine is this one: what is on loopback is the same there
 * @throws HangarError launch_failed when there is no way
 */
export function urlOfServer(o: {
  readonly serverUrl: string | undefined;
  readonly httpUrl: string;
  readonly isHere: boolean;
  readonly machine: string;
}): string {
  if (o.serverUrl !== undefined) return o.serverUrl;
  if (o.isHere || !isLoopback(new URL(o.httpUrl).hostname)) return o.httpUrl;
  throw new HangarError('launch_failed', {
    message: `${o.machine} cannot reach this server at ${o.httpUrl}.`,
    wayOut: 'Set serverUrl in the profile, or HANGAR_PUBLIC_URL, to an address that is reached from there.',
  });
}

/** @param hostname as in a URL, or an IPv6 address without brackets */
export const isLoopback = (hostname: string): boolean => /^(localhost|127\..*|\[?::1\]?)$/.test(hostname);
