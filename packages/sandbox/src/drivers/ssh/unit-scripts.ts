import { PROGRAM_STATE } from '../../brought/remote/program-scripts.ts';
import {
  BEGINNING,
  END,
  MARKER,
  type UnitPlace,
  WHY_ENDED,
  where,
  whereUnit,
} from '../../brought/remote/unit-folder.ts';
import { SPOOLS } from '../../machine/facts.ts';
import type { UnitKey } from '../../port/unit.ts';
import { quoteForSh } from './quote.ts';

/** In that of what keeps its deadline, which has to outlive the others. */
const WATCH_MARKER = 'HANGAR_UNIT_WATCH';

/** Null for a name that no unit has. */
export function parseUnitName(name: string): UnitKey | null {
  const match = /^([A-Za-z0-9_]{1,64})-([0-9]{1,9})$/.exec(name);
  return match?.[1] === undefined ? null : { id: match[1], attempt: Number(match[2]) };
}

/** Prints missing, running, or exited and why. What cannot be told (a stale mount, a folder that may not be read) is no missing unit. */
const STATE = `
unit_state() {
  if [ -f "$dir/ended" ]; then printf 'exited '; head -c 200 -- "$dir/ended"; return 0; fi
  if [ -f "$dir/unit" ]; then echo running; return 0; fi
  said=$(LC_ALL=C ls -d -- "$dir/unit" 2>&1 >/dev/null)
  case $said in *"No such file"* | *"Not a directory"*) echo missing;; *) printf '%s\\n' "$said" >&2; return 1;; esac
}
`;

/** Keeps the deadline on the machine itself. Started anew by each look at the unit when it is gone: by a reboot, or by somebody's hand. */
const GUARD = `
guard() {
  [ -f "$dir/unit" ] && [ ! -e "$dir/ended" ] || return 0
  ends=; { read -r boot; read -r ends; } <"$dir/unit"
  case $ends in '' | *[!0-9]*) return 0;; esac
  if [ "$(date +%s)" -ge "$ends" ]; then end_unit 0 '${WHY_ENDED.late}'; return; fi
  [ -z "$(marked "${WATCH_MARKER}=$marker")" ] || return 0
  watch='while [ "$(date +%s)" -lt "$ends" ]; do sleep $((ends - $(date +%s))); done; [ ! -f "$dir/unit" ] || end_unit 0 "${WHY_ENDED.late}"'
  group=; command -v setsid >/dev/null 2>&1 && group=setsid
  dir=$dir marker=$marker ends=$ends ${WATCH_MARKER}=$marker $group sh -c "$library
$watch" </dev/null >/dev/null 2>&1 &
}
`;

const library = `library=${quoteForSh(END)}\neval "$library"\n${STATE}\n${GUARD}`;
export const ENSURED = { noProc: 90 } as const;

export function ensureScript(
  place: UnitPlace,
  key: UnitKey,
  o: { deadlineSeconds: number | null; program: string; nonce: string },
): string {
  const ends = o.deadlineSeconds === null ? 'none' : `$(($(date +%s) + ${Math.ceil(o.deadlineSeconds)}))`;
  return `${BEGINNING}${where(place)}
[ -r /proc/self/environ ] || exit ${ENSURED.noProc}
mkdir -p -- "$root" || exit 1
${whereUnit(place, key)}${library}
if [ ! -e "$dir/unit" ]; then
  mkdir -p -- "$dir/work" && chmod 700 -- "$dir" || exit 1
  note=$dir/.unit-${o.nonce}
  printf '%s\\n' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" "${ends}" ${quoteForSh(o.program)} >"$note" || exit 1
  said=$(ln -- "$note" "$dir/unit" 2>&1) || [ -e "$dir/unit" ] || { printf '%s\\n' "$said" >&2; rm -f -- "$note"; exit 1; }
  rm -f -- "$note"
fi
guard`;
}

export const inspectScript = (place: UnitPlace, key: UnitKey): string =>
  `${BEGINNING}${whereUnit(place, key)}${library}${PROGRAM_STATE}
guard
program=; { read -r boot; read -r ends; read -r program; } 2>/dev/null <"$dir/unit"
case $program in '' | hold) unit_state;; *) echo "program $program"; program_state;; esac`;

export const stopScript = (place: UnitPlace, key: UnitKey, graceSeconds: number): string =>
  `${BEGINNING}${whereUnit(place, key)}${library}\nend_unit ${graceSeconds} '${WHY_ENDED.stopped}'`;

export const removeScript = (place: UnitPlace, key: UnitKey): string => `${BEGINNING}${whereUnit(place, key)}${library}
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
export const listScript = (place: UnitPlace): string => `${BEGINNING}${where(place)}
if [ -d "$root" ]; then ls -1 -- "$root" || exit 1
else said=$(ls -d -- "$root" 2>&1 >/dev/null); case $said in *"No such file"*) ;; *) printf '%s\\n' "$said" >&2; exit 1;; esac; fi
cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | sed -n "s|^${MARKER}=$instance/||p" | sort -u`;

/**
 * Runs a program in the unit, or in none, and tells how it ended: ssh tells no signal apart from its own failure. The shell around it stands outside of
 * the unit, so that it is there to tell when all in the unit is killed, and is quiet where shells say "Killed".
 */
export function openScript(
  place: UnitPlace,
  key: UnitKey | null,
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
  const inUnit =
    key &&
    `${whereUnit(place, key)}${STATE}
state=$(unit_state) || exit 1
case $state in running) ;; *) ${o.print('gone')}; exit 0;; esac
[ -d "$dir/work" ] || { ${o.print('gone')}; exit 0; }`;
  // Spools lie in the folder of the unit, and go with it: the account is shared by all units and stays.
  const enter = key
    ? `cd -- "$dir/work" && ${MARKER}=$marker ${SPOOLS}=$dir/spools && export ${MARKER} ${SPOOLS} && `
    : '';
  return `${inUnit ?? ''}
trap : INT QUIT
set -- ${argv.map(quoteForSh).join(' ')}
unset script BASH_ENV CDPATH
${start}
exec 3>&2 2>/dev/null
( ${enter}exec "$@" ) 2>&3 3>&-
code=$?
${o.print('end', '$code')} >&3
exit 0`;
}
