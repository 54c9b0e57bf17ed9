import { quoted } from '../../machine/sh.ts';
import type { UnitKey } from '../../port/unit.ts';

/** In the environment of every process of a unit: `<instance>/<id>-<attempt>`. */
export const MARKER = 'HANGAR_UNIT';

export interface UnitPlace {
  /** Absolute, or `~/…`. */
  readonly folder: string;
  readonly instanceId: string;
}

export const unitName = (key: UnitKey): string => `${key.id}-${key.attempt}`;

/** `$folder`, and `$root` in it: all units of this instance. */
export const where = (place: UnitPlace): string => `
folder=${quoted(place.folder)} instance=${quoted(place.instanceId)}
case $folder in "~/"*) folder=$HOME/\${folder#??};; esac
at=$(cd -- "$folder" 2>/dev/null && pwd -P) && folder=$at
root=$folder/$instance
at=$(cd -- "$root" 2>/dev/null && pwd -P) && root=$at
`;

/** `$dir`: one unit, with `work`, `home`, `program` (of what was brought) and `ended` (why) when it has ended. */
export const whereUnit = (place: UnitPlace, key: UnitKey): string => `${where(place)}
name=${quoted(unitName(key))}
dir=$root/$name marker=$instance/$name
`;

/** How each of these scripts begins. */
export const BEGINNING = 'LC_ALL=C; export LC_ALL; unset BASH_ENV CDPATH; umask 077; cd /\n';

/**
 * Processes are found by what they inherited: the marker in their environment, through fork, setsid and the death of every parent; and where
 * a program threw its environment away, by a folder inside of the unit's. Whoever looks around there in a terminal is let be.
 */
export const END = `
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

/** The words of a unit that was told to end, and of one that outlived its deadline. */
export const WHY_ENDED = { stopped: 'It was stopped.', late: 'Its time was over.' } as const;
