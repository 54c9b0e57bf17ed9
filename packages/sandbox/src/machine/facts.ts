import { HangarError } from '@hangar/contract';
import type { CallOptions } from '../port/call.ts';
import type { Answer, AskOptions } from './ask.ts';
import { sh } from './sh.ts';

/** What is known of a machine before anything is done in it, for one account. */
export interface Facts {
  /** Where spools are; private to the account. */
  readonly folder: string;
  /** The shortest pause its sleep can do, in seconds: "0.05" or "1". */
  readonly nap: string;
  /** `tail --pid`, as GNU has it. */
  readonly followsPid: boolean;
  /** `dd` that counts bytes and skips without reading. */
  readonly skipsBytes: boolean;
  /** `script` of util-linux: terminals that outlive a connection. */
  readonly script: boolean;
  /** `find -printf` and `stat --printf`, as GNU has them. */
  readonly printf: boolean;
}

/** What goes unquoted into patterns in the machine. */
const PLAIN_PATH = /^(\/[A-Za-z0-9._@+-]+)+$/;

/** Takes away what a server left in the folder that was killed, and what came after it was given up. Folder. */
export const SWEEP = sh`find "$1" -maxdepth 1 -name '.*put-*' -mmin +60 -exec rm -f {} + 2>/dev/null`;

/** Variable of a machine that says where its spools go: where several share an account that outlives them. */
export const SPOOLS = 'HANGAR_SPOOLS';

const PROBE = sh`
u=$(id -u) && [ -r /proc/self/stat ] && command -v setsid >/dev/null && command -v mkfifo >/dev/null || exit 20
umask 077
usable() {
  case $1 in ''|*[!A-Za-z0-9._@+/-]*) return 1;; esac
  mkdir -p "$1" && [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] && chmod 700 "$1" &&
    : >"$1/.try.$$" && ln "$1/.try.$$" "$1/.try2.$$" && rm -f "$1/.try2.$$" "$1/.try.$$" && mkfifo "$1/.try.$$" && rm -f "$1/.try.$$"
}
f=
if [ -n "$1" ]; then usable "$1" && f=$1
else
  for p in $\{HANGAR_SPOOLS:+"$HANGAR_SPOOLS"} "$HOME/.cache/hangar-$u" "/tmp/hangar-$u" "/var/tmp/hangar-$u" "/dev/shm/hangar-$u"; do
    if usable "$p" 2>/dev/null; then f=$p; break; fi
  done
fi
[ -n "$f" ] || exit 21
set -- "$f"
${SWEEP}
sleep 0.01 2>/dev/null && nap=0.05 || nap=1
t=0; tail --help 2>&1 | grep -q -e --pid && t=1
d=0; dd if=/dev/null of=/dev/null bs=1 count=1 iflag=skip_bytes,count_bytes 2>/dev/null && d=1
s=0; script --version 2>/dev/null | grep -q util-linux && s=1
p=0; find /proc/self/stat -maxdepth 0 -printf '' 2>/dev/null && stat --printf '' / 2>/dev/null && p=1
echo "$f $nap $t $d $s $p"
`;

interface Asking {
  readonly ask: (script: string, args: readonly string[], o: AskOptions) => Promise<Answer>;
}

/** @throws HangarError unsupported when it lacks what all of this stands on */
export async function probeFacts(
  { ask }: Asking,
  folder: string | undefined,
  user: string | null,
  o: CallOptions,
): Promise<Facts> {
  if (folder !== undefined && !PLAIN_PATH.test(folder))
    throw new HangarError('validation_failed', { message: `The folder of spools is no plain path: ${folder}` });
  // A given folder belongs to the machine's own account; another one finds a place of its own.
  const { output, code, error } = await ask(PROBE, [user === null ? (folder ?? '') : ''], { ...o, user });
  if (code === 20)
    throw new HangarError('unsupported', {
      message: 'The machine lacks /proc, id, setsid or mkfifo.',
      wayOut: 'Use a Linux image with coreutils and util-linux, or busybox.',
    });
  if (code === 21 && /No space left|quota exceeded/i.test(error)) throw new HangarError('disk_full');
  if (code === 21)
    throw new HangarError('unsupported', {
      message:
        `No folder of the machine can be written to: ${folder ?? '~/.cache, /tmp, /var/tmp, /dev/shm'}. ${error}`.trim(),
      wayOut: 'Give its account a folder of its own that it may write to.',
    });
  const [found, nap, tail, dd, script, printf] = output.toString().trim().split(' ');
  if (code !== 0 || found === undefined || !PLAIN_PATH.test(found) || printf === undefined)
    throw new HangarError('connection_lost', { message: `The machine did not say what it is: ${error}` });
  const [followsPid, skipsBytes] = [tail === '1', dd === '1'];
  return {
    folder: found,
    nap: nap === '0.05' ? nap : '1',
    followsPid,
    skipsBytes,
    script: script === '1',
    printf: printf === '1',
  };
}
