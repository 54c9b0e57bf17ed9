import { HangarError } from '@hangar/contract';

/** What one ssh on the way said, and of which machine. The first that failed is the cause, the others follow from it. */
export interface HopWords {
  /** `host:port`, for people. */
  readonly machine: string;
  readonly isJump: boolean;
  readonly words: string;
}

type Kind = 'driver_unavailable' | 'driver_auth_failed' | 'host_key_changed';

const CHANGED =
  /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed|REVOKED HOST KEY|known to be revoked/i;
const UNKNOWN_KEY = /Host key verification failed|No \S+ host key is known/i;

/** Causes as ssh words them, the most telling first. */
const CAUSES: readonly [RegExp, Kind, (at: string) => string, string?][] = [
  [
    /Permission denied|Too many authentication failures|no mutual signature/i,
    'driver_auth_failed',
    (at) => `${at} does not let this key in.`,
  ],
  [/Could not resolve hostname/i, 'driver_unavailable', (at) => `There is no machine with the name of ${at}.`],
  [/Connection refused/i, 'driver_unavailable', (at) => `${at} refuses connections: nothing listens there.`],
  [
    /timed out during banner exchange|timeout, server .* not responding/i,
    'driver_unavailable',
    (at) => `${at} takes connections and says nothing.`,
  ],
  [/timed out/i, 'driver_unavailable', (at) => `${at} does not answer.`],
  [
    /(No route to host|Network is unreachable|Host is down)/i,
    'driver_unavailable',
    (at) => `There is no way to ${at}.`,
  ],
  [
    /administratively prohibited|forwarding .*(refused|disabled)/i,
    'driver_unavailable',
    (at) => `${at} does not pass connections on.`,
  ],
  [
    /no matching .* found|Unable to negotiate/i,
    'driver_unavailable',
    (at) => `${at} and this server have no way of encryption in common.`,
  ],
  [
    /invalid SSH identification|Invalid SSH|banner line/i,
    'driver_unavailable',
    (at) => `What listens at ${at} is no SSH server.`,
  ],
];

/** Says little: a machine whose way to it closed says it as well, when it was another that failed. */
const CLOSED = /Connection (closed|reset)|Broken pipe/i;

/** Why no connection came to be, of what each ssh on the way said, the one nearest to us first. */
export function whyNotConnected(hops: readonly HopWords[], o: { given: boolean; late: boolean }): HangarError {
  for (const hop of hops) {
    const cause = causeOf(hop, o.given);
    if (cause) return cause;
  }
  const machine = placeOf(hops.at(-1));
  if (o.late) return new HangarError('driver_unavailable', { message: `${machine} does not answer in time.` });
  const closed = hops.find(({ words }) => CLOSED.test(words));
  if (closed) {
    return new HangarError('driver_unavailable', {
      message: `${placeOf(closed)} closed the connection before sign-in.`,
    });
  }
  const said = lastLine(hops.map(({ words }) => words).join('\n'));
  return new HangarError('driver_unavailable', {
    message: `No connection to ${machine}${said === '' ? '.' : `: ${said}`}`,
  });
}

const placeOf = (hop: HopWords | undefined): string =>
  hop === undefined ? 'The machine' : `${hop.isJump ? 'The jump host ' : ''}${hop.machine}`;

function causeOf(hop: HopWords, given: boolean): HangarError | null {
  const at = placeOf(hop);
  if (CHANGED.test(hop.words)) {
    return new HangarError('host_key_changed', {
      message: `${at} shows another host key than the one that is known: it is another machine, or somebody is in between.`,
    });
  }
  if (UNKNOWN_KEY.test(hop.words)) {
    const known = given ? 'that hostKeys of the profile does not have' : 'that is not known';
    return new HangarError('host_key_changed', {
      message: `${at} shows a host key ${known}.`,
      ...(given
        ? { wayOut: 'Compare it with that of the machine (ssh-keyscan HOST), and put its line into hostKeys.' }
        : {}),
    });
  }
  const refused = /channel \d+: open failed: [^:\n]+: *([^\n]*)/i.exec(hop.words);
  if (refused && hop.isJump) {
    return new HangarError('driver_unavailable', {
      message: `${at} does not reach the next machine: ${printable(refused[1] ?? '')}`,
    });
  }
  for (const [pattern, code, message, wayOut] of CAUSES) {
    if (!pattern.test(hop.words)) continue;
    return new HangarError(code, { message: message(at), ...(wayOut === undefined ? {} : { wayOut }) });
  }
  return null;
}

/** A key that no machine would let in. */
export const unreadableKey = (): HangarError =>
  new HangarError('driver_auth_failed', {
    message: 'The key cannot be read: it is no private key, or has a passphrase.',
    wayOut: 'Give the whole file of the private key, without a passphrase.',
  });

/** The last line of what ssh said, short and without control characters. */
export function lastLine(words: string): string {
  return printable(
    words
      .split('\n')
      .map((line) => line.trim())
      .findLast((line) => line !== '') ?? '',
  );
}

export const printable = (line: string): string =>
  line
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(0, 300);

/** A script on the machine that failed: what of its complaint is a full disk, and else what it says. */
export function whyScriptFailed(what: string, complaint: string, exitCode: number | null): HangarError {
  const said = lastLine(complaint);
  if (/No space left on device|Disk quota exceeded|disk full|out of inodes/i.test(complaint)) {
    return new HangarError('disk_full', {
      message: `There is no space left on the disk of the machine: ${said}`,
      wayOut: 'Free space on it, or set another folder in the profile.',
    });
  }
  const reason = said === '' ? `it ended with ${exitCode ?? 'no code'}` : said;
  const wayOut = /Read-only file system|Permission denied|Stale (NFS )?file handle/i.test(complaint)
    ? 'Set folder in the profile to one that the account can write to.'
    : undefined;
  return new HangarError('launch_failed', {
    message: `${what}: ${reason}`,
    ...(wayOut === undefined ? {} : { wayOut }),
  });
}
