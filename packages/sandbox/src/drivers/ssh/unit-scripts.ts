import type { UnitKey } from '../../port/unit.ts';
import { quoteForSh } from './quote.ts';

/** In the environment of every process of a unit: `<instance>/<id>-<attempt>`. */
const MARKER = 'HANGAR_UNIT';
/** In that of what keeps its deadline, which has to outlive the others. */
const WATCH_MARKER = 'HANGAR_UNIT_WATCH';

export interface UnitPlace {
  /** As in the settings: absolute, or `~/…`. */
  readonly folder: string;
  readonly instanceId: string;
}

export const unitName = (key: UnitKey): string => `${key.id}-${key.attempt}`;

/** Null for a name that no unit has. */
export function parseUnitName(name: string): UnitKey | null {
  const match = /^([A-Za-z0-9_]{1,64})-([0-9]{1,9})$/.exec(name);
  return match?.[1] === undefined ? null : { id: match[1], attempt: Number(match[2]) };
}

/** `$root`: all units of this instance; `$dir`: one of them, which has `unit` (what it is), `work`, and `ended` (why) when it has ended. */
const where = (place: UnitPlace): string => `
folder=${quoteForSh(place.folder)} instance=${quoteForSh(place.instanceId)}
case $folder in "~/"*) folder=$HOME/\${folder#??};; esac
root=$folder/$instance
at=$(cd -- "$root" 2>/dev/null && pwd -P) && root=$at
`;

const whereUnit = (place: UnitPlace, key: UnitKey): string => `${where(place)}
name=${quoteForSh(unitName(key))}
dir=$root/$name marker=$instance/$name
`;

/** Prints missing, running, or exited and why. What cannot be told (a stale mount, a folder that may not be read) is no missing unit. */
const STATE = `
unit_state() {
  if [ -f "$dir/ended" ]; then printf 'exited '; head -c 200 -- "$dir/ended"; return 0; fi
  if [ -f "$dir/unit" ]; then echo running; return 0; fi
  said=$(LC_ALL=C ls -d -- "$dir/unit" 2>&1 >/dev/null)
  case $said in *"No such file"* | *"Not a directory"*) echo missing;; *) printf '%s\\n' "$said" >&2; return 1;; esac
}
`;

/**
 * Processes are found by what they inherited: the marker in their environment, through fork, setsid and the death of every parent; and where
 * a program threw its environment away, by a folder inside of the unit's. Whoever looks around there in a terminal is let be.
 */
const END = `
marked() {
  if printf 'a\\0b\\0' | grep -qzxF b 2>/dev/null; then grep -lzxF -e "$1" /proc/[0-9]*/environ 2>/dev/null
  else for file in /proc/[0-9]*/environ; do tr '\\0' '\\n' 2>/dev/null <"$file" | grep -qxF -e "$1" && echo "$file"; done 2>/dev/null
  fi | cut -d/ -f3
}
inside() {
  ls -ld /proc/[0-9]*/cwd 2>/dev/null | DIR=$dir awk '{
    at = index($0, " -> "); to = substr($0, at + 4)
    if (at && (to == ENVIRON["DIR"] || index(to, ENVIRON["DIR"] "/") == 1)) { n = split(substr($0, 1, at - 1), part, "/"); print part[n - 1] }
  }' | while read -r pid; do
    line=; { read -r line </proc/$pid/stat; } 2>/dev/null
    set -- \${line##*) }
    [ "$5" = 0 ] && echo "$pid"
  done
}
ours() { { marked "${MARKER}=$marker"; inside; } | sort -un; }
pause() { sleep 0.1 2>/dev/null || sleep 1; }
end_all() {
  pids=$(ours)
  if [ -n "$pids" ] && [ "$1" -gt 0 ]; then
    kill -s TERM $pids 2>/dev/null
    until=$(($(date +%s) + $1))
    while pids=$(ours); [ -n "$pids" ] && [ "$(date +%s)" -lt "$until" ]; do pause; done
  fi
  quiet=0 tries=0
  while [ $quiet -lt 2 ]; do
    pids=$(ours)
    if [ -z "$pids" ]; then quiet=$((quiet + 1)); continue; fi
    quiet=0 tries=$((tries + 1))
    if [ $tries -gt 100 ]; then echo Processes do not end: $pids >&2; return 1; fi
    kill -s KILL $pids 2>/dev/null
    pause
  done
}
note_end() {
  [ ! -d "$dir" ] || [ -e "$dir/ended" ] || said=$( { printf '%s\\n' "$1" >"$dir/ended"; } 2>&1 ) || [ -e "$dir/ended" ]
}
end_unit() {
  note_end "$2"; noted=$?
  end_all "$1" || return 1
  [ $noted = 0 ] || { printf '%s\\n' "$said" >&2; return 1; }
}
`;

const TIME_OVER = 'Its time was over.';

/** Keeps the deadline on the machine itself. Started anew by each look at the unit when it is gone: by a reboot, or by somebody's hand. */
const GUARD = `
guard() {
  [ -f "$dir/unit" ] && [ ! -e "$dir/ended" ] || return 0
  ends=; { read -r boot; read -r ends; } <"$dir/unit"
  case $ends in '' | *[!0-9]*) return 0;; esac
  if [ "$(date +%s)" -ge "$ends" ]; then end_unit 0 '${TIME_OVER}'; return; fi
  [ -z "$(marked "${WATCH_MARKER}=$marker")" ] || return 0
  watch='while [ "$(date +%s)" -lt "$ends" ]; do sleep $((ends - $(date +%s))); done; [ ! -f "$dir/unit" ] || end_unit 0 "${TIME_OVER}"'
  group=; command -v setsid >/dev/null 2>&1 && group=setsid
  dir=$dir marker=$marker ends=$ends ${WATCH_MARKER}=$marker $group sh -c "$library
$watch" </dev/null >/dev/null 2>&1 &
}
`;

const library = `library=${quoteForSh(END)}\neval "$library"\n${STATE}\n${GUARD}`;
const beginning = 'LC_ALL=C; export LC_ALL; unset BASH_ENV CDPATH; umask 077; cd /\n';

export const ENSURED = { noProc: 90 } as const;

export function ensureScript(
  place: UnitPlace,
  key: UnitKey,
  o: { deadlineSeconds: number | null; nonce: string },
): string {
  const ends = o.deadlineSeconds === null ? 'none' : `$(($(date +%s) + ${Math.ceil(o.deadlineSeconds)}))`;
  return `${beginning}${where(place)}
[ -r /proc/self/environ ] || exit ${ENSURED.noProc}
mkdir -p -- "$root" || exit 1
${whereUnit(place, key)}${library}
if [ ! -e "$dir/unit" ]; then
  mkdir -p -- "$dir/work" && chmod 700 -- "$dir" || exit 1
  note=$dir/.unit-${o.nonce}
  printf '%s\\n' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" "${ends}" >"$note" || exit 1
  said=$(ln -- "$note" "$dir/unit" 2>&1) || [ -e "$dir/unit" ] || { printf '%s\\n' "$said" >&2; rm -f -- "$note"; exit 1; }
  rm -f -- "$note"
fi
guard`;
}

export const inspectScript = (place: UnitPlace, key: UnitKey): string =>
  `${beginning}${whereUnit(place, key)}${library}\nguard\nunit_state`;

export const stopScript = (place: UnitPlace, key: UnitKey, graceSeconds: number): string =>
  `${beginning}${whereUnit(place, key)}${library}\nend_unit ${graceSeconds} 'It was stopped.'`;

export const removeScript = (place: UnitPlace, key: UnitKey): string => `${beginning}${whereUnit(place, key)}${library}
note_end 'It is being removed.'
end_all 0 || exit 1
pids=$(marked "${WATCH_MARKER}=$marker"); [ -z "$pids" ] || kill -s KILL $pids 2>/dev/null
tries=0
while [ -e "$dir" ] || [ -L "$dir" ]; do
  said=$(rm -rf -- "$dir" 2>&1) && break
  tries=$((tries + 1))
  if [ $tries -gt 3 ]; then printf '%s\\n' "$said" >&2; exit 1; fi
  [ -L "$dir" ] || chmod -R u+rwX -- "$dir" 2>/dev/null
done`;

/** Names of all units that have a folder or a process, one in a line. */
export const listScript = (place: UnitPlace): string => `${beginning}${where(place)}
if [ -d "$root" ]; then ls -1 -- "$root" || exit 1
else said=$(ls -d -- "$root" 2>&1 >/dev/null); case $said in *"No such file"*) ;; *) printf '%s\\n' "$said" >&2; exit 1;; esac; fi
cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | sed -n "s|^${MARKER}=$instance/||p" | sort -u`;

/**
 * Runs a program in the unit and tells how it ended: ssh tells no signal apart from its own failure. The shell around it stands outside of
 * the unit, so that it is there to tell when all in the unit is killed, and is quiet where shells say "Killed".
 */
export function openScript(
  place: UnitPlace,
  key: UnitKey,
  argv: readonly string[],
  o: {
    print: (kind: 'start' | 'gone' | 'end', note?: string) => string;
    terminal: { columns: number; rows: number } | null;
  },
): string {
  // Of what has no terminal itself, ssh makes one with everything off.
  const start = o.terminal
    ? `stty sane 2>/dev/null; stty rows ${o.terminal.rows} columns ${o.terminal.columns} 2>/dev/null\n${o.print('start', '$(tty)')}`
    : `${o.print('start')}\n${o.print('start')} >&2`;
  return `${whereUnit(place, key)}${STATE}
state=$(unit_state) || exit 1
case $state in running) ;; *) ${o.print('gone')}; exit 0;; esac
[ -d "$dir/work" ] || { ${o.print('gone')}; exit 0; }
trap : INT QUIT
set -- ${argv.map(quoteForSh).join(' ')}
unset script BASH_ENV CDPATH
${start}
exec 3>&2 2>/dev/null
( cd -- "$dir/work" && ${MARKER}=$marker && export ${MARKER} && exec "$@" ) 2>&3 3>&-
code=$?
${o.print('end', '$code')} >&3
exit 0`;
}
