/**
 * Runs as the parent of the unit's program, in a session of its own, so that neither the death of the server nor its return
 * changes anything. $1 is the folder of the unit, $2 the name of its program, the rest is the command.
 *
 * `ln` is atomic and exclusive: whoever comes second, after a crash between start and note, ends at once with 75, so no
 * unit ever runs twice. TERM is for the program alone; this shell stays to write down how it ended, into room that it took
 * before: the unit may have filled the disk.
 */
export const START_SCRIPT = `
unit=$1; program=$2; shift 2
umask 077
trap : TERM INT HUP
if [ -r "/proc/$$/stat" ]; then
  IFS= read -r boot < /proc/sys/kernel/random/boot_id
  IFS= read -r stat < "/proc/$$/stat"
  field20() { shift 19; started=$1; }
  set -f; field20 \${stat##*) }; set +f
else
  boot=
  started=$(LC_ALL=C ps -o lstart= -p $$ | tr -s ' ' | sed 's/^ //; s/ $//')
fi
printf '{"pid":%d,"boot":"%s","started":"%s","program":"%s"}\\n' "$$" "$boot" "$started" "$program" > "$unit/claim.$$" || exit 74
[ -e "$unit/unit.json" ] || printf '%-8s\\n' '' > "$unit/exit" || exit 74
ln "$unit/claim.$$" "$unit/unit.json" 2>/dev/null || { rm -f "$unit/claim.$$"; exit 75; }
rm -f "$unit/claim.$$"
umask 022
"$@"
code=$?
umask 077
printf '%-8s\\n' "$code" 1<> "$unit/exit"
exit "$code"
`;

/** The unit was already claimed by another process. */
export const ALREADY_CLAIMED = 75;
