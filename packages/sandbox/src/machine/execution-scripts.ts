import { sh } from './sh.ts';
import { SPOOL } from './supervise-script.ts';

/**
 * Starts an execution unless it was, then follows: mark, text (1), folder, id, from of out and err, longest piece, most on this channel,
 * nap, dd (1), tail (1), then nonce, length of run and of all on standard input, and the arguments of the supervisor. Answers with lines
 * that begin with the mark; behind `raw` both streams are as they are, up to a byte 1 and the mark: what prints lines
 * is not held back for a mark that begins with their end. cat says that a disk is full, which echo and printf of dash do not.
 */
export const FOLLOW = sh`${SPOOL}
h_mark=$1 h_text=$2 h_d=$3/$4 h_id=$4 h_o=$5 h_e=$6 h_piece=$7 h_most=$8 h_nap=$9 h_dd=$\{10} h_tail=$\{11} h_k1=$\{12}
h_say() { printf '\n%s %s\n' "$h_mark" "$*"; }
h_word=
h_last() { printf '\001%s %s\n' "$h_mark" "$*"; }
h_slice() {
  if [ "$h_dd" = 1 ]; then dd if="$1" bs=65536 iflag=skip_bytes,count_bytes skip=$2 count=$3 2>/dev/null
  else tail -c +$(($2+1)) "$1" | head -c $3; fi; }
h_frame() {
  printf '\n%s %s %s\n' "$h_mark" $1 $4
  if [ "$h_text" = 1 ]; then h_slice "$2" $3 $4 | base64 | tr -d '\n' | fold -w 3000; echo
  else h_slice "$2" $3 $4; fi; }
h_place() {
  mkdir -p "$h_d" && cat >"$h_d/run.$h_k1" || return
  [ "$(h_size "$h_d/run.$h_k1")" -eq "$2" ] || { echo cut >&2; return 1; }
  if [ "$1" -lt "$2" ]; then
    tail -c +$(($1+1)) "$h_d/run.$h_k1" >"$h_d/script.$h_k1" && head -c "$1" "$h_d/run.$h_k1" >"$h_d/head.$h_k1" &&
      mv "$h_d/head.$h_k1" "$h_d/run.$h_k1" || return
  fi
  printf %s "$3" | cat >"$h_d/supervise.$h_k1" && mkfifo "$h_d/o.$h_k1" "$h_d/e.$h_k1" "$h_d/w.$h_k1" || return
  for h_f in pid exit room; do
    printf '%-99s\n' - >"$h_d/$h_f.$h_k1"; [ -s "$h_d/$h_f.$h_k1" ] || { echo No space left >&2; return 1; }
  done; }
h_say begin
if [ -n "$h_k1" ] && [ ! -e "$h_d/pid" ]; then
  h_um=$(umask); umask 077
  h_x=$(h_place $\{13} $\{14} "$\{15}" 2>&1) || { rm -f "$h_d"/*."$h_k1"; h_say fail $h_x; exit; }
  # The supervisor says when it begins and ends, and a clock that it is time to look: what is short is over before two tails are there.
  if [ "$h_tail" = 1 ]; then exec 5<>"$h_d/w.$h_k1" 6>"$h_d/w.$h_k1" 7<"$h_d/w.$h_k1" 5>&-; else exec 6>/dev/null 7</dev/null; fi
  HANGAR_SERVES=$h_id setsid setsid sh "$h_d/supervise.$h_k1" "$3" "$h_id" "$h_k1" $\{16} $\{17} $\{18} $\{19} "$h_nap" "$h_um" \
    </dev/null >/dev/null 2>&1 7<&-
  if [ "$h_tail" = 1 ]; then { sleep 0.15; echo time >&6; } </dev/null >/dev/null 2>&1 7<&- & fi
  exec 6>&-
  read -r h_word <&7
  h_i=0
  while [ ! -e "$h_d/pid" ] && [ $h_i -lt 600 ]; do
    h_i=$((h_i+1)); [ $h_i -lt 20 ] && sleep 0.01 2>/dev/null || sleep "$h_nap"
  done
fi
if [ ! -e "$h_d/pid" ]; then
  if [ -n "$h_k1" ]; then h_say fail its supervisor does not start
  elif [ -e "$h_d.as" ]; then read -r h_x <"$h_d.as"; h_say as "$h_x"
  else h_say none; fi
  exit
fi
read -r h_p h_s h_ps h_ss h_k <"$h_d/pid"
h_say pid $h_p
[ "$h_word" != begin ] || [ "$\{17}" != - ] || read -r h_word <&7
exec 7<&-
# A busy machine is late, too.
if [ "$h_word" = time ] && [ "$\{17}" = - ]; then
  h_i=0
  while [ $h_i -lt 10 ] && [ ! -e "$h_d/exit" ] && [ ! -s "$h_d/out" ] && [ ! -s "$h_d/err" ]; do h_i=$((h_i+1)); sleep 0.05; done
fi
# The tails end with the keeper.
if [ "$h_tail" = 1 ] && [ ! -e "$h_d/exit" ] && h_alive $h_s $h_ss && kill -0 $h_k 2>/dev/null; then
  h_say raw; printf '\n%s raw\n' "$h_mark" >&2
  # What this shell and the tails say of themselves is no output of it.
  exec 4>&2 2>/dev/null
  # Where tail is not told of changes, it looks: more often where somebody waits for the echo of a key.
  h_pace=0.05; [ ! -s "$h_d/tty" ] || h_pace=0.01
  tail -c +$((h_o+1)) -f -s $h_pace --pid=$h_k "$h_d/out" 4>&- & h_t1=$!
  tail -c +$((h_e+1)) -f -s 0.05 --pid=$h_k "$h_d/err" >&4 4>&- & h_t2=$!
  { h_z=; trap 'kill $h_z; exit' TERM
    h_i=0
    while [ $h_i -lt 2 ]; do
      sleep 2 & h_z=$!; wait $h_z
      # One that was killed between its last word and the end of its keeper leaves that alive.
      if h_alive $h_s $h_ss; then h_i=0; else h_i=$((h_i+1)); fi
    done
    kill $h_t1 $h_t2; } >/dev/null 4>&- </dev/null & h_w=$!
  wait $h_t1; wait $h_t2; kill $h_w
  [ -e "$h_d/exit" ] || h_alive $h_s $h_ss || [ -e "$h_d/exit" ] || h_lost $$
  h_last end >&4
  if [ -e "$h_d/exit" ]; then read -r h_x <"$h_d/exit"; h_last end "$h_x"; else h_last cut; fi
  exit
fi
h_idle=0 h_sent=0
while :; do
  h_fin= h_why=
  if [ -e "$h_d/exit" ]; then h_fin=1; read -r h_why h_rc h_so h_se h_n h_note <"$h_d/exit"
  else h_so=$(h_size "$h_d/out"); h_se=$(h_size "$h_d/err"); fi
  h_moved=
  h_c=$((h_so-h_o)); [ $h_c -gt $h_piece ] && h_c=$h_piece
  if [ $h_c -gt 0 ]; then h_frame out "$h_d/out" $h_o $h_c; h_o=$((h_o+h_c)) h_sent=$((h_sent+h_c)) h_moved=1; fi
  h_c=$((h_se-h_e)); [ $h_c -gt $h_piece ] && h_c=$h_piece
  if [ $h_c -gt 0 ]; then h_frame err "$h_d/err" $h_e $h_c; h_e=$((h_e+h_c)) h_sent=$((h_sent+h_c)) h_moved=1; fi
  if [ -n "$h_moved" ]; then h_idle=0; [ $h_sent -lt $h_most ] || { h_say more; exit; }; continue; fi
  [ -z "$h_fin" ] || { h_say end "$h_why $h_rc $h_so $h_se $h_n $h_note"; exit; }
  h_idle=$((h_idle+1))
  if [ $((h_idle % 20)) = 0 ] && ! h_alive $h_s $h_ss && [ ! -e "$h_d/exit" ]; then h_lost $$; continue; fi
  sleep "$h_nap"
  # Quiet for a while: looked at less often.
  if [ $h_idle -gt 40 ] && [ "$h_nap" != 1 ]; then sleep 0.15; fi
done
`;

/** folder, id. The account it runs as is another: its name, with code 30. Not there: 31. */
const FIND = sh`${SPOOL}
h_d=$1/$2 h_id=$2
if [ ! -e "$h_d/pid" ] && [ -e "$h_d.as" ]; then cat "$h_d.as"; exit 30; fi
h_pid() { [ -e "$h_d/pid" ] || exit 31; read -r h_p h_s h_ps h_ss h_k <"$h_d/pid"; }
`;

/** folder, id, nonce, signal, hundredths of grace, nap. Prints the exit. What nobody has started is claimed, so that nobody will. */
export const CANCEL = sh`${FIND}
h_nap=$6 h_n1=$3
h_never() { echo cancelled - 0 0 0 never >"$h_d/never.$h_n1" && [ -s "$h_d/never.$h_n1" ]; }
umask 077; mkdir -p "$h_d" || exit 1
if [ ! -e "$h_d/exit" ]; then
  h_tell "$3" "cancelled $4 $5" || exit 1
  if [ ! -e "$h_d/pid" ]; then
    # The end is there before the claim: nobody meets the one without the other for long.
    h_never && echo 0 0 0 0 0 >"$h_d/pid.$3" && [ -s "$h_d/pid.$3" ] || { rm -f "$h_d"/*."$3"; echo No space left >&2; exit 1; }
    if ln "$h_d/pid.$3" "$h_d/pid" 2>/dev/null; then mv "$h_d/never.$3" "$h_d/exit"; fi
  fi
  rm -f "$h_d/stop.$3" "$h_d/pid.$3" "$h_d/never.$3"
fi
while [ ! -e "$h_d/exit" ]; do
  h_pid
  # Whoever claimed it was cut off before it said so.
  if [ "$h_p" = 0 ]; then sleep "$h_nap"; [ -e "$h_d/exit" ] || { h_never && mv "$h_d/never.$3" "$h_d/exit"; }
  elif h_alive $h_s $h_ss; then kill -s USR1 $h_k 2>/dev/null || h_end "$4" "$5"
  else sleep "$h_nap"; [ -e "$h_d/exit" ] || { h_end "$4" "$5"; h_lost "$3"; }; fi
  sleep "$h_nap"
done
cat "$h_d/exit"
`;

/** Around all that is put into the input. One whose holder was killed is taken over; fails where there is no room for one. */
const LOCK = sh`
h_lock() {
  h_i=0
  until mkdir "$h_d/lock" 2>/dev/null; do
    h_i=$((h_i+1)); [ $h_i -lt 100 ] || { rmdir "$h_d/lock" 2>/dev/null || return 1; h_i=0; }
    sleep 0.05 2>/dev/null || sleep 1
  done; }
`;

/** folder, id, nonce, position, length; bytes on standard input. Prints how many are there. Ended: 32, bytes missing: 33, no input: 34. */
export const WRITE = sh`${FIND}${LOCK}
h_pid; [ ! -e "$h_d/exit" ] || exit 32; [ -e "$h_d/in" ] && [ ! -e "$h_d/in.end" ] || exit 34
umask 077; cat >"$h_d/w.$3" || exit 1
[ "$(h_size "$h_d/w.$3")" -eq "$5" ] && h_lock || { rm -f "$h_d/w.$3"; exit 1; }
s=$(h_size "$h_d/in") r=0
if [ "$4" -gt "$s" ]; then r=33
elif [ $((s-$4)) -lt "$5" ]; then tail -c +$((s-$4+1)) "$h_d/w.$3" >>"$h_d/in" || r=1; fi
rmdir "$h_d/lock"; rm -f "$h_d/w.$3"
[ $r = 0 ] && h_size "$h_d/in"
exit $r
`;

/**
 * What several writers type into one input, each with positions of its own. by.WRITER: where the last piece of it was put, how many bytes
 * of this writer were in before, its length. It is written first, so that whoever breaks off in between leaves no doubt: the size of
 * the input tells how much of the piece is there; and in place, since a full disk has no room for another.
 *
 * h_took puts into h_taken how many bytes of the writer h_w are in. h_type types: position, length; h_bytes gives them. Ended: 32, bytes
 * missing: 33, no input: 34.
 */
const TYPE = sh`${LOCK}
h_took() {
  h_taken=0 h_s=$(h_size "$h_d/in")
  [ -s "$h_d/by.$h_w" ] || return 0
  read -r h_at h_before h_len <"$h_d/by.$h_w"
  h_got=$((h_s-h_at)); [ $h_got -le $h_len ] || h_got=$h_len; [ $h_got -ge 0 ] || h_got=0
  h_taken=$((h_before+h_got)); }
h_by() { printf '%-60s\n' "$*" 1<>"$h_d/by.$h_w" && [ -s "$h_d/by.$h_w" ]; }
h_type() {
  [ ! -e "$h_d/exit" ] || return 32
  [ -e "$h_d/in" ] && [ ! -e "$h_d/in.end" ] || return 34
  h_lock || return 1
  h_took
  h_skip=$((h_taken-$1)) h_r=0
  if [ $h_skip -lt 0 ]; then h_r=33
  elif [ $h_skip -lt $2 ]; then
    if h_by "$h_s $h_taken $(($2-h_skip))" &&
      if [ $h_skip = 0 ]; then h_bytes; else h_bytes | tail -c +$((h_skip+1)); fi >>"$h_d/in"
    then h_taken=$(($1+$2))
    else h_r=1; h_took; h_by "$h_s $h_taken 0"; fi
  fi
  rmdir "$h_d/lock"
  return $h_r; }
h_facts() {
  h_took; h_x=; [ ! -s "$h_d/tty" ] || h_x=$(stty -F "$(cat "$h_d/tty")" size 2>/dev/null)
  echo "$h_taken $(h_size "$h_d/out") $h_x"; }
`;

/**
 * Stays open: folder, id, writer, mark; lines "POSITION LENGTH BYTES" on standard input, in base64 or, where they are few, in octal, which
 * costs no process; each answered. Answers with lines that begin with the mark: open, taken, size of out, rows, columns; as, account; none; taken, code of h_type, how many bytes of the writer are in.
 */
export const INPUT = sh`${SPOOL}${TYPE}
h_d=$1/$2 h_id=$2 h_w=$3 h_mark=$4
h_say() { printf '
%s %s
' "$h_mark" "$*"; }
h_bytes() { case $h_b in \\0*) printf %b "$h_b";; *) printf %s "$h_b" | base64 -d;; esac; }
umask 077
if [ ! -e "$h_d/pid" ]; then
  if [ -e "$h_d.as" ]; then read -r h_x <"$h_d.as"; h_say as "$h_x"; else h_say none; fi
  exit
fi
h_say open "$(h_facts)"
while read -r h_p1 h_p2 h_b; do
  [ -e "$h_d/pid" ] || { h_say none; exit; }
  h_type "$h_p1" "$h_p2"
  h_say taken $? "$h_taken"
done
`;

/** The same for one piece, where nothing stays open: folder, id, writer, nonce, position, length; bytes on standard input. Length 0: nothing is typed. */
export const INPUT_ONCE = sh`${FIND}${TYPE}
h_pid; h_w=$3
h_bytes() { cat "$h_d/w.$h_k1"; }
umask 077; h_k1=$4 h_r=0
if [ "$6" -gt 0 ]; then
  cat >"$h_d/w.$h_k1" || exit 1
  if [ "$(h_size "$h_d/w.$h_k1")" -eq "$6" ]; then h_type "$5" "$6" || h_r=$?; else h_r=1; fi
  rm -f "$h_d/w.$h_k1"
fi
h_facts
exit $h_r
`;

/** folder, id, nonce, length, nap. */
export const END_INPUT = sh`${FIND}
h_pid; [ ! -e "$h_d/exit" ] || exit 0; [ -e "$h_d/in" ] || exit 34
[ "$(h_size "$h_d/in")" -eq "$4" ] || exit 33
umask 077; : >"$h_d/in.end" || exit 1
while [ -e "$h_d/in.tail" ] && [ ! -e "$h_d/exit" ] && h_alive $h_s $h_ss; do
  # Where the keeper was killed, nobody else does it.
  kill -s USR1 $h_k 2>/dev/null || { read -r h_x <"$h_d/in.tail" && kill $h_x && rm -f "$h_d/in.tail"; }
  sleep "$5"
done
`;

/** folder, id, columns, rows. Without a size another one comes and goes, so that what fills the screen paints it again. No terminal: 35. */
export const RESIZE = sh`${FIND}
h_pid; [ ! -e "$h_d/exit" ] || exit 0; [ -s "$h_d/tty" ] || exit 35
h_tty=$(cat "$h_d/tty")
if [ -n "$3" ]; then stty -F "$h_tty" cols "$3" rows "$4"; exit; fi
h_x=$(stty -F "$h_tty" size) || exit 0
h_y=$\{h_x#* } h_x=$\{h_x%% *}; h_f=$((h_x > 2 ? h_x-1 : h_x+1))
stty -F "$h_tty" rows $h_f; sleep 0.05 2>/dev/null || sleep 1
# Whoever set it in between has the last word.
[ "$(stty -F "$h_tty" size)" != "$h_f $h_y" ] || stty -F "$h_tty" rows "$h_x"
`;

/** folder. Lines: id, process, sizes of out and err, exit; or id, "as", account. */
export const LIST = sh`${SPOOL}
for h_d in "$1"/*; do
  h_id=$\{h_d##*/}
  case $h_d in *.as) [ -f "$h_d" ] && echo "$\{h_id%.as} as $(cat "$h_d")"; continue;; esac
  [ -e "$h_d/pid" ] || continue
  read -r h_p h_s h_ps h_ss h_k <"$h_d/pid"
  h_x=; if [ -e "$h_d/exit" ]; then read -r h_x <"$h_d/exit"
  elif ! h_alive $h_s $h_ss && [ ! -e "$h_d/exit" ]; then h_lost $$; read -r h_x <"$h_d/exit"; fi
  echo "$h_id $h_p $(h_size "$h_d/out") $(h_size "$h_d/err") $h_x"
done
`;

/** folder, id. Still running: 36. */
export const FORGET = sh`${FIND}
if [ -e "$h_d/pid" ] && [ ! -e "$h_d/exit" ]; then h_pid; if h_alive $h_s $h_ss && [ ! -e "$h_d/exit" ]; then exit 36; fi; fi
h_pids HANGAR_SERVES
for h_f in $h_m; do [ "$h_f" = $$ ] || kill $h_f 2>/dev/null; done
rm -rf "$h_d" "$h_d.as"
`;

/** folder, id, nap. Of one that runs nothing is ended. */
export const END_LEFTOVER = sh`${SPOOL}
h_d=$1/$2 h_id=$2 h_nap=$3 h_p=0
[ ! -e "$h_d/pid" ] || [ -e "$h_d/exit" ] || exit 36
h_end KILL 0
`;

/** folder, id, account. */
export const RUNS_AS = sh`umask 077; [ -e "$1/$2/pid" ] || echo "$3" >"$1/$2.as"`;
