import { quoted } from '../../machine/sh.ts';
import type { UnitKey } from '../../port/unit.ts';
import { START } from '../entries.ts';
import { BEGINNING, END, MARKER, type UnitPlace, WHY_ENDED, where, whereUnit } from './unit-folder.ts';

/**
 * What a program of a unit leaves in `$dir/program`:
 *   pid           of what looks after it, when that began, the boot of the machine; appears once, when its input is there as a whole
 *   log.0, log.1  the end of what it printed, each at most 64 KiB
 *   exit          its exit code; appears whole
 */
const LOG_BYTES = 65_536;
const WORDS_BYTES = 4_000;
const START_SECONDS = 30;

/** Prints none, running, exited and the code, killed, or restarted; then a line with why it was ended, then the end of what it printed. */
export const PROGRAM_STATE = `
boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null; }
program_alive() {
  pid=; { read -r pid began boot <"$dir/program/pid"; } 2>/dev/null
  line=; { read -r line </proc/$pid/stat; } 2>/dev/null
  set -- \${line##*) }
  [ -n "$1" ] && [ "\${20}" = "$began" ] && [ "$1" != Z ] && [ "$1" != X ] && [ "$boot" = "$(boot_id)" ]
}
program_state() {
  if [ ! -e "$dir/program/pid" ]; then echo none
  elif program_alive && [ ! -e "$dir/program/exit" ]; then echo running
  elif [ -e "$dir/program/exit" ]; then printf 'exited '; cat "$dir/program/exit"
  elif [ "$boot" != "$(boot_id)" ]; then echo restarted
  else echo killed; fi
  if [ -e "$dir/ended" ]; then head -c 200 "$dir/ended"; else echo; fi
  cat "$dir/program/log.0" "$dir/program/log.1" 2>/dev/null | tail -c ${WORDS_BYTES}
}
`;

/**
 * Looks after the program, in a session of its own: folder of the unit, runtime, file, URL, bytes of the input, nonce. It hears TERM
 * with all the others and stays to write down how the program ended; it is the only one that claims the unit, so of several one starts.
 */
const SUPERVISE = `
h_d=$1 h_r=$2 h_f=$3 h_u=$4 h_b=$5 h_n=$6
cd / && umask 077
h_i=$(cat; echo .); h_i=\${h_i%.}
if [ \${#h_i} -ne "$h_b" ]; then : >"$h_d/program/cut.$h_n"; exit 1; fi
read -r h_l </proc/$$/stat
set -- \${h_l##*) }
echo "$$ \${20} $(cat /proc/sys/kernel/random/boot_id)" >"$h_d/program/pid.$h_n" && mkfifo "$h_d/program/out.$h_n" || exit 1
trap : TERM HUP INT
ln "$h_d/program/pid.$h_n" "$h_d/program/pid" 2>/dev/null; h_c=$?
rm -f "$h_d/program/pid.$h_n"
if [ $h_c != 0 ] || [ -e "$h_d/ended" ]; then rm -f "$h_d/program/out.$h_n"; exit; fi
(
  trap '' TERM HUP INT
  cd "$h_d/program"
  while head -c ${LOG_BYTES} >log.1 && [ -s log.1 ]; do mv log.1 log.0; done
  : >log.end
) <"$h_d/program/out.$h_n" >/dev/null 2>&1 &
unset LC_ALL
export HOME="$h_d/home" HANGAR_WORKER_DIR="$h_d/work" HANGAR_WORKER_URL="$h_u" LANG="\${LANG:-C.UTF-8}"
cd "$h_d/work"
"$h_r/${START}" "$h_r/$h_f" >"$h_d/program/out.$h_n" 2>&1 <<H_INPUT
$h_i
H_INPUT
h_c=$?
h_n2=0
while [ ! -e "$h_d/program/log.end" ] && [ $h_n2 -lt 20 ]; do h_n2=$((h_n2 + 1)); sleep 0.1 2>/dev/null || sleep 1; done
echo $h_c >"$h_d/program/exit.$h_n" && mv "$h_d/program/exit.$h_n" "$h_d/program/exit"
rm -f "$h_d/program/out.$h_n"
`;

/** Exit codes of the scripts below. */
export const SAID = { noRuntime: 71, ended: 72, cut: 73, late: 74, noTar: 75, notWhole: 76 } as const;

/** Prints the architecture, `glibc` or `-`, and the version of its own Node or 0. */
export const lookScript = (place: UnitPlace): string => `${BEGINNING}${where(place)}
mkdir -p -- "$folder/programs" || exit 1
libc=-; for file in /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.*; do [ -e "$file" ] && libc=glibc; done
node=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null)
echo "$(uname -m) $libc \${node:-0}"`;

/** Reads a tar, and puts what is in it below `programs` when all of it came: of several at once one does. */
export const bringScript = (place: UnitPlace, digest: string, nonce: string): string => `${BEGINNING}${where(place)}
command -v tar >/dev/null 2>&1 || exit ${SAID.noTar}
to=$folder/programs/${digest} from=$folder/programs/.${digest}-${nonce}
mkdir -p -- "$from" || exit 1
trap 'rm -rf -- "$from"' EXIT
tar -xpf - -C "$from" >&2 || exit 1
[ -e "$from/complete" ] || exit ${SAID.notWhole}
mv -T -- "$from" "$to" 2>/dev/null
[ -x "$to/${START}" ] || { echo "$to cannot be made" >&2; exit 1; }`;

/** `$runtime` is there and stays: what was asked for is not tidied up for a day. */
const RUNTIME_THERE = (digest: string): string => `runtime=$folder/programs/${digest}
{ touch -c -- "$runtime" && [ -x "$runtime/${START}" ]; } 2>/dev/null || exit ${SAID.noRuntime}`;

export const isThereScript = (place: UnitPlace, digest: string): string =>
  `${BEGINNING}${where(place)}${RUNTIME_THERE(digest)}`;

/** The same, and prints where it is. */
export const whereScript = (place: UnitPlace, digest: string): string =>
  `${isThereScript(place, digest)}\nprintf %s "$runtime"`;

export interface Starting {
  readonly digest: string;
  readonly file: string;
  readonly url: string;
  readonly inputBytes: number;
  readonly nonce: string;
}

/** Its input is that of the program. Begun once, and answers when that is certain. */
export const startScript = (
  place: UnitPlace,
  key: UnitKey,
  o: Starting,
): string => `${BEGINNING}${whereUnit(place, key)}
[ ! -e "$dir/program/pid" ] || exit 0
[ ! -e "$dir/ended" ] || exit ${SAID.ended}
${RUNTIME_THERE(o.digest)}
mkdir -p -- "$dir/program" "$dir/work" "$dir/home" && chmod 700 -- "$dir" || exit 1
echo ${o.digest} >"$dir/program/runtime" || exit 1
set -- "$dir" "$runtime" ${[o.file, o.url, String(o.inputBytes), o.nonce].map(quoted).join(' ')}
exec 4<&0
${MARKER}=$marker setsid sh -c ${quoted(SUPERVISE)} hangar-program "$@" <&4 4<&- >/dev/null 2>"$dir/program/said.${o.nonce}" 3>&- &
until=$(($(date +%s) + ${START_SECONDS}))
while [ ! -e "$dir/program/pid" ]; do
  [ ! -e "$dir/program/cut.${o.nonce}" ] || exit ${SAID.cut}
  [ ! -e "$dir/ended" ] || exit ${SAID.ended}
  if [ "$(date +%s)" -gt "$until" ]; then cat "$dir/program/said.${o.nonce}" >&2; exit ${SAID.late}; fi
  sleep 0.05 2>/dev/null || sleep 1
done
rm -f -- "$dir/program/said.${o.nonce}"`;

export const stateScript = (place: UnitPlace, key: UnitKey): string =>
  `${BEGINNING}${whereUnit(place, key)}${PROGRAM_STATE}\nprogram_state`;

/** Ends all of the unit, also where its program never began: then none begins any more. */
export const endScript = (place: UnitPlace, key: UnitKey, graceSeconds: number): string =>
  `${BEGINNING}${whereUnit(place, key)}${END}
mkdir -p -- "$dir" && end_unit ${graceSeconds} '${WHY_ENDED.stopped}'`;

/** Removes what was brought by others than this server, is used by no unit, and was not asked for since a day. */
export const tidyScript = (place: UnitPlace, keep: readonly string[]): string => `${BEGINNING}${where(place)}
used=" ${keep.join(' ')} "
for note in "$folder"/*/*/program/runtime; do
  [ -e "$note" ] && [ ! -e "\${note%/runtime}/exit" ] && used="$used$(head -c 100 "$note") "
done
find "$folder/programs" -mindepth 1 -maxdepth 1 -type d -mtime +0 2>/dev/null | while read -r old; do
  digest=\${old##*/}
  case $used in *" $digest "*) ;; *) rm -rf -- "$old" && echo "$digest";; esac
done`;
