import { sh } from './sh.ts';

/** Paths come as `%b` of printf reads them: arguments are no place for bytes that are no text. */
const PATHS = sh`
path_of() { p=$(printf '%bx' "$1"); p=$\{p%x}; }
`;

/** Answers in records of three, each ended by NUL: type or mode, size, time and owners; path; what a link points to. */
const RECORDS = sh`${PATHS}
one='for f; do s=$(stat -c "%f %s %Y %u %g" "$f" 2>/dev/null) || continue; printf "%s\0%s\0" "$s" "$f"; [ ! -L "$f" ] || readlink -n "$f"; printf "\0"; done'
`;

/** path, GNU (1). */
export const STAT_ONE = sh`${RECORDS}
path_of "$1"
if [ "$2" = 1 ]; then find "$p" -maxdepth 0 -printf '%y %m %s %T@ %U %G\0\0%l\0'
else stat "$p" >/dev/null && sh -c "$one" sh "$p"; fi
`;

/** path, GNU (1), depth. */
export const STAT_ALL = sh`${RECORDS}
path_of "$1"
if [ "$2" = 1 ]; then find "$p/" -ignore_readdir_race -mindepth 1 -maxdepth "$3" -printf '%y %m %s %T@ %U %G\0%P\0%l\0'
else [ -d "$p/" ] && cd "$p/" || { ls -d "$p/"; exit 1; }
  find . -mindepth 1 -maxdepth "$3" -exec sh -c "$one" sh {} +; fi
`;

/** path, offset, length (- for all), dd (1), file to put it into (- for output). No file: 40. */
export const READ = sh`${PATHS}
path_of "$1"
[ -e "$p" ] || { stat "$p"; exit 1; }
[ -f "$p" ] || exit 40
part() {
  if [ "$2$3" = 0- ]; then cat "$p"
  elif [ "$4" = 1 ] && [ "$3" = - ]; then dd if="$p" bs=65536 iflag=skip_bytes skip="$2" status=none
  elif [ "$4" = 1 ]; then dd if="$p" bs=65536 iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none
  elif [ "$3" = - ]; then tail -c +$(($2+1)) "$p"
  else tail -c +$(($2+1)) "$p" | head -c "$3"; fi; }
if [ "$5" = - ]; then part "$@"; else umask 077; part "$@" >"$5"; fi
`;

/** Puts a file from $t to $p, with mode $m (- for that of what is there). In the way: 41. */
const PLACE = sh`${PATHS}
through() { if [ -L "$p" ]; then p=$(readlink -f "$p" && printf x) || exit 1; p=$\{p%?x}; fi
  [ ! -d "$p" ] || exit 41
  # What shells say of it differs.
  [ -d "$\{p%/*}/" ] || { ls -d "$\{p%/*}/"; exit 1; }; }
place() {
  [ "$m" != - ] || { [ -e "$p" ] && m=$(stat -c %a "$p"); }
  { [ "$m" = - ] || chmod "$m" "$t"; } && mv -f "$t" "$p" || { r=$?; rm -f "$t"; exit $r; }; }
`;

/** path, nonce, size (- for not known), mode: from standard input. Cut: 42. */
export const WRITE_FILE = sh`${PLACE}
path_of "$1"; through; m=$4 t=$\{p%/*}/.hangar-$2
cat >"$t" || { r=$?; rm -f "$t"; exit $r; }
[ "$3" = - ] || [ "$(wc -c <"$t")" -eq "$3" ] || { rm -f "$t"; exit 42; }
place
`;

/** path, nonce: from standard input to a file beside it; prints its size. */
export const STAGE = sh`${PLACE}
path_of "$1"; through; t=$\{p%/*}/.hangar-$2
cat >"$t" || { r=$?; rm -f "$t"; exit $r; }
wc -c <"$t"
`;

/** path, nonce, mode. */
export const COMMIT = sh`${PLACE}
path_of "$1"; through; m=$3 t=$\{p%/*}/.hangar-$2; place
`;

/** path, nonce. */
export const UNSTAGE = sh`${PLACE}
path_of "$1"; through; rm -f "$\{p%/*}/.hangar-$2"
`;

export const MKDIR = sh`${PATHS}
path_of "$1"; mkdir -p "$p"
`;

/** path, recursive (1). */
export const REMOVE = sh`${PATHS}
path_of "$1"
[ -e "$p" ] || [ -L "$p" ] || exit 0
if [ "$2" = 1 ]; then rm -rf "$p"; elif [ -d "$p" ] && [ ! -L "$p" ]; then rmdir "$p"; else rm -f "$p"; fi
`;

/** from, to. */
export const RENAME = sh`${PATHS}
path_of "$1"; f=$p; path_of "$2"
[ ! -d "$p" ] || [ -L "$p" ] || exit 41
if mv --help 2>&1 | grep -q -e ' -T\|-[a-z]*T\]'; then mv -fT "$f" "$p"
# It would move it into the folder that a link there leads to.
else [ ! -L "$p" ] || rm -f "$p"; mv -f "$f" "$p"; fi
`;

/** path; a tar archive on standard input. No tar: 43. */
export const UNPACK = sh`${PATHS}
path_of "$1"; command -v tar >/dev/null || exit 43
mkdir -p "$p" && tar -xof - -C "$p"
`;

/** path, all (1) or names on standard input, each ended by NUL, GNU (1), file to put it into (- for output). No tar: 43. What changes while it is read is taken as it comes. */
export const PACK = sh`${PATHS}
path_of "$1"; command -v tar >/dev/null || exit 43
[ -d "$p/" ] && cd "$p/" || { ls -d "$p/"; exit 1; }
pack() {
  if [ "$3" = 1 ]; then
    if [ "$2" = 1 ]; then find . -mindepth 1 -maxdepth 1 -print0 | tar -cf - --null -T -; else tar -cf - --null -T -; fi
    r=$?; [ $r = 1 ] && r=0; return $r
  elif [ "$2" = 1 ]; then find . -mindepth 1 -maxdepth 1 | grep -q . && tar -cf - . || head -c 1024 /dev/zero
  else xargs -0 -n 100000 -s 120000 tar -cf -; fi; }
if [ "$4" = - ]; then pack "$@"; else umask 077; pack "$@" >"$4"; fi
`;
