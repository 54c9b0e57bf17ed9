import { sh } from './sh.ts';

/**
 * What supervises in a machine, in POSIX sh as dash, bash and busybox understand it. Variables begin with h_: one that the machine
 * exports under the same name would otherwise come changed to the command.
 *
 * A spool, `<folder>/<id>`, private to its account:
 *   pid      process, supervisor, their start times, keeper; appears when the command was started
 *   out, err what it printed; in: what it is to read; in.end: that this is all; tty: its terminal
 *   stop     why it is to end, signal, hundredths of a second of grace; the first who puts it there counts
 *   failed   why it was not started
 *   pid.*, exit.*, room.*   become pid, exit, and stop where there is no other place: taken before the start, since commands fill disks
 *   exit     why, code, sizes of out and err that count, processes left, what went wrong; appears whole and last
 */

/**
 * The start time of a process in h_st, its parent h_pp, session h_se, state h_sa; fails when there is none. h_tell puts a stop there, by a
 * nonce, and fails when the disk is full and somebody else's has taken the room.
 */
const STAT = sh`
h_stat() { h_l= h_x=
  [ -r "/proc/$1/stat" ] || return 1
  { while IFS= read -r h_x || [ -n "$h_x" ]; do h_l=$h_x; done <"/proc/$1/stat"; } 2>/dev/null
  case $h_l in *') '*) ;; *) return 1;; esac
  set -- $\{h_l##*) }
  h_sa=$1 h_pp=$2 h_se=$4 h_st=$\{20}
  [ -n "$h_st" ]; }
h_alive() { h_stat "$1" && [ "$h_st" = "$2" ] && [ "$h_sa" != Z ] && [ "$h_sa" != X ]; }
h_tell() {
  if ! echo "$2" | cat >"$h_d/stop.$1"; then
    for h_f in "$h_d"/room.*; do mv "$h_f" "$h_d/stop.$1" && printf '%-99s\n' "$2" 1<>"$h_d/stop.$1" && break; done || [ -e "$h_d/stop" ] || return 1
  fi
  ln "$h_d/stop.$1" "$h_d/stop" || [ -e "$h_d/stop" ]; }
h_size() { if [ -s "$1" ]; then stat -c %s "$1" 2>/dev/null || wc -c <"$1"; else echo 0; fi; }
`;

/**
 * h_tree puts the living processes of execution h_id (process h_p) into h_t, " 12 34 ": by the mark in their environment, by having its
 * output open, by session, and what descends from those. What cut all these ties at once is not found. h_marked counts the marked alone.
 * h_end ends them: signal, grace in hundredths of a second. Both count into h_n.
 */
const TREE = sh`
h_pids() { h_m=' '; for h_f in $(grep -lzxF "$1=$h_id" /proc/[0-9]*/environ 2>/dev/null); do h_f=$\{h_f#/proc/}; h_m="$h_m$\{h_f%/environ} "; done; }
h_count() { set -- $h_t; h_n=$#; }
h_marked() { h_pids HANGAR_EXEC; h_t=$h_m; h_count; }
h_tree() {
  h_pids HANGAR_SERVES; h_v=$h_m; h_pids HANGAR_EXEC; h_t=$h_m
  for h_f in $(ls -l /proc/[0-9]*/fd 2>/dev/null | sed -n -e '/^\/proc\//{s|^/proc/||;s|/fd:$||;h;d;}' -e "\\|-> $h_d/[oe]\\.|{x;p;x;}"); do
    case $h_v in *" $h_f "*) ;; *) h_t="$h_t$h_f ";; esac
  done
  h_a=$(cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\([0-9]*\) (.*) [A-WYa-y] \([0-9]*\) [0-9]* \([0-9]*\) .*/\1:\2:\3/p')
  h_m=1
  while [ -n "$h_m" ]; do
    h_m=
    for h_r in $h_a; do
      h_f=$\{h_r%%:*} h_q=$\{h_r#*:}
      case $h_t in *" $h_f "*) continue;; esac
      # A server of it only begins like one: it becomes the command in a moment.
      [ "$\{h_q#*:}" = "$h_p" ] || case $h_v in *" $h_f "*) continue;; esac
      # 0 is nobody: it is parent and session of all that there is.
      case " $\{h_p#0}$h_t" in
        *" $\{h_q#*:} "*|*" $\{h_q%:*} "*)
          # A process may call itself so that it reads like the line of another.
          h_stat "$h_f" && [ "$h_pp:$h_se" = "$h_q" ] && h_t="$h_t$h_f " h_m=1;;
      esac
    done
  done
  h_m=$h_t h_t=' '
  for h_f in $h_m; do
    case $h_t in *" $h_f "*) continue;; esac
    h_stat "$h_f" && case $h_sa in Z|X) ;; *) h_t="$h_t$h_f ";; esac
  done
  h_count; }
h_now() { read -r h_u h_x </proc/uptime; h_u=$\{h_u%.*}$\{h_u#*.}; while :; do case $h_u in 0?*) h_u=$\{h_u#0};; *) break;; esac; done; }
h_end() {
  h_tree; kill -s "$1" $h_t 2>/dev/null
  h_now; h_until=$((h_u + $2))
  while [ $h_n -gt 0 ]; do h_now; [ "$h_u" -lt "$h_until" ] || break; h_left; done
  h_i=0; [ $h_n = 0 ] || h_tree
  while [ $h_n -gt 0 ] && [ $h_i -lt 40 ]; do kill -s KILL $h_t 2>/dev/null; h_left; h_i=$((h_i+1)); done; }
# The whole look only where the cheap one finds nobody.
h_left() { sleep "$h_nap"; h_marked; [ $h_n -gt 0 ] || h_tree; }
`;

/** How often the kernel has killed for memory in this cgroup, in h_oom. */
const OOM = sh`
h_ooms() {
  h_oom=0
  [ -r /proc/self/cgroup ] || return
  while IFS=: read -r h_x h_k h_c; do
    case $h_k in
      '') set -- "/sys/fs/cgroup$h_c/memory.events" /sys/fs/cgroup/memory.events "/sys/fs/cgroup/unified$h_c/memory.events";;
      memory|*,memory|memory,*) set -- "/sys/fs/cgroup/memory$h_c/memory.oom_control" /sys/fs/cgroup/memory/memory.oom_control;;
      *) continue;;
    esac
    for h_f in "$@"; do
      [ -r "$h_f" ] || continue
      while read -r h_k h_x; do [ "$h_k" = oom_kill ] && h_oom=$h_x; done <"$h_f"
      break
    done
  done </proc/self/cgroup; }
`;

/** Needs h_d, h_id, h_p, h_nap. h_lost writes the exit of an execution whose supervisor is gone. */
export const SPOOL = sh`${STAT}${TREE}
h_lost() {
  h_tree
  h_x="lost - $(h_size "$h_d/out") $(h_size "$h_d/err") $h_n supervisor" h_f=$h_d/exit.$1
  echo "$h_x" >"$h_f"
  # On a full disk it goes where the supervisor had room for it.
  [ -s "$h_f" ] || for h_f in "$h_d"/exit.*; do [ -s "$h_f" ] && printf '%-99s\n' "$h_x" 1<>"$h_f" && break; done
  [ ! -s "$h_f" ] || ln "$h_f" "$h_d/exit" 2>/dev/null
  if [ -e "$h_d/exit" ]; then rm -f "$h_d"/exit.*; else [ -s "$h_d/exit.$1" ] || rm -f "$h_d/exit.$1"; fi; }
`;

/**
 * Supervises one execution: folder, id, nonce, input (none, tail, poll), terminal (- or COLUMNSxROWS), seconds (or -), hundredths of grace, nap,
 * umask.
 *
 * Output goes through pipes (o and e, made by whoever starts it), because a program that opens /dev/stderr anew would empty a file; what
 * holds them after the end holds only the process that copies. The command runs in the foreground: a shell has what it puts into the
 * background ignore SIGINT, for good. So a keeper in the background hears of stops, told by USR1, which is repeated until it is seen to be
 * heard. Whoever starts it is told of begin and end on descriptor 6.
 */
export const SUPERVISE = sh`${STAT}${TREE}${OOM}
h_d=$1/$2 h_id=$2 h_k1=$3 h_in=$4 h_term=$5 h_limit=$6 h_grace=$7 h_nap=$8 h_um=$9
cd /; umask 077
h_stat $$; h_self=$h_st
h_ooms; h_before=$h_oom
h_hold= h_feed= h_timer=
h_rest() { rm -f "$h_d"/[oeiw]."$h_k1" "$h_d/run.$h_k1" "$h_d/script.$h_k1" "$h_d/pid.$h_k1" "$h_d/supervise.$h_k1" "$h_d/left" "$h_d/stop.$h_k1" "$h_d/exit.$h_k1" "$h_d/room.$h_k1"; }
h_from=/dev/null
[ "$h_in" = none ] || { h_from=$h_d/i.$h_k1; mkfifo "$h_from" || exit 1; }
: >>"$h_d/out"; : >>"$h_d/err"
[ "$h_in" = none ] || : >>"$h_d/in"
cat <"$h_d/o.$h_k1" >>"$h_d/out" & h_co=$!
cat <"$h_d/e.$h_k1" >>"$h_d/err" & h_ce=$!
case $h_in in
  tail)
    sleep 2147483647 & h_hold=$!
    echo $h_hold >"$h_d/in.tail"
    h_pace=0.05; [ "$h_term" = - ] || h_pace=0.01
    tail -c +1 -f -s $h_pace --pid=$h_hold "$h_d/in" >"$h_from" & h_feed=$!;;
  poll)
    { exec 3>"$h_from"; h_at=0
      while :; do
        h_e=; [ -e "$h_d/in.end" ] && h_e=1
        h_s=$(h_size "$h_d/in")
        if [ "$h_s" -gt "$h_at" ]; then tail -c +$((h_at+1)) "$h_d/in" | head -c $((h_s-h_at)) >&3 || exit; h_at=$h_s
        elif [ -n "$h_e" ]; then exit
        else sleep "$h_nap"; fi
      done; } & h_feed=$!;;
esac
{ h_z=; trap ':' USR1; trap 'kill $h_z; exit' TERM
  while :; do
    if [ -n "$h_hold" ] && [ -e "$h_d/in.end" ]; then kill $h_hold; h_hold=; rm -f "$h_d/in.tail"; fi
    if [ -e "$h_d/stop" ] && [ -e "$h_d/pid" ]; then
      read -r h_why h_sig h_gr <"$h_d/stop"; read -r h_p h_x <"$h_d/pid"
      h_end "$h_sig" "$h_gr"; echo $h_n >"$h_d/left.t"; mv "$h_d/left.t" "$h_d/left"
    fi
    sleep 2147483647 & h_z=$!
    wait $h_z; kill $h_z
  done; } & h_keeper=$!
if [ "$h_limit" != - ]; then
  { h_z=; trap 'kill $h_z; exit' TERM
    sleep "$h_limit" & h_z=$!; wait $h_z
    h_tell $h_k1 "timeout TERM $h_grace"
    while kill -s USR1 $h_keeper; do sleep 0.2 & h_z=$!; wait $h_z; [ -e "$h_d/left" ] && exit; done
    # The keeper was killed.
    read -r h_p h_x <"$h_d/pid" && h_end TERM "$h_grace"; } & h_timer=$!
fi
# In a shell of its own: what this one says of a command that was killed is no output of it.
if [ "$h_term" = - ]; then
  (exec setsid sh "$h_d/run.$h_k1" "$h_d" $h_k1 $$ $h_self $h_keeper $h_um $h_id - <"$h_from" >"$h_d/o.$h_k1" 2>"$h_d/e.$h_k1")
else
  # script starts the shell of the account, which may be one that lets nobody in.
  (h_ush=$\{SHELL-} SHELL=/bin/sh; export h_ush SHELL; exec setsid script -qfec "exec sh '$h_d/run.$h_k1' '$h_d' $h_k1 $$ $h_self $h_keeper $h_um $h_id $h_term" /dev/null \
    <"$h_from" >"$h_d/o.$h_k1" 2>"$h_d/e.$h_k1")
fi
h_rc=$?
h_p= h_x=; [ -e "$h_d/pid" ] && read -r h_p h_x h_y <"$h_d/pid"
if [ "$h_x" != $$ ]; then kill $h_keeper $h_hold $h_feed $h_timer; h_rest; exit; fi
h_why=exited h_stopped=
if [ -e "$h_d/stop" ]; then
  read -r h_why h_sig h_gr <"$h_d/stop"
  while [ ! -e "$h_d/left" ] && kill -s USR1 $h_keeper; do sleep "$h_nap"; done
  # Empty where the disk is full.
  if [ -e "$h_d/left" ]; then read -r h_n <"$h_d/left" || h_marked; else h_end "$h_sig" "$h_gr"; fi
else h_marked; fi
# What it printed is in the pipes until the copier sleeps, that is, waits for more.
h_i=0 h_q=0
while [ $h_i -lt 100 ] && [ $h_q -lt 2 ]; do
  h_r=
  for h_f in $h_co $h_ce; do h_stat $h_f && case $h_sa in Z|X) ;; S) h_r=s$h_r;; *) h_r=r$h_r;; esac; done
  case $h_r in '') break;; *r*) h_q=0;; *) h_q=$((h_q+1));; esac
  h_i=$((h_i+1)); sleep "$h_nap"
done
# Somebody without a mark holds it.
[ -z "$h_r" ] || [ $h_n -gt 0 ] || h_tree
h_note=- h_cut=
for h_f in $h_co $h_ce; do
  if h_stat $h_f; then case $h_sa in Z|X) ;; *) continue;; esac; fi
  wait $h_f; h_x=$?
  if [ $h_x -gt 128 ]; then h_cut=output; elif [ $h_x != 0 ]; then h_note=disk; fi
done
# What feeds it dies of SIGPIPE where nobody reads any more.
if [ -n "$h_feed" ] && { ! h_stat $h_feed || [ $h_sa = Z ]; }; then
  wait $h_feed; h_x=$?; [ $h_x -le 128 ] || [ $h_x = 141 ] || h_cut=input
fi
kill $h_hold $h_feed $h_timer
h_ooms
if [ $h_why != exited ]; then :
elif [ -n "$h_cut" ]; then h_why=lost h_rc=- h_note=$h_cut
elif [ -e "$h_d/failed" ]; then h_why=not_started; read -r h_note <"$h_d/failed"
elif [ $h_rc = 137 ] && [ "$h_oom" -gt "$h_before" ]; then h_why=out_of_memory; fi
printf '%-99s\n' "$h_why $h_rc $(h_size "$h_d/out") $(h_size "$h_d/err") $h_n $h_note" 1<>"$h_d/exit.$h_k1" && mv "$h_d/exit.$h_k1" "$h_d/exit"
# Nobody may listen any more.
trap '' PIPE; { echo end >&6; } 2>/dev/null
h_rest
# Whoever follows waits for this one's end: it is reaped here, so that no machine without an init keeps it.
kill $h_keeper; wait $h_keeper
`;

/**
 * How each `run` begins: folder of the spool, nonce, supervisor, its start time, keeper, umask, id, terminal. It claims the execution, so
 * that of several supervisors one starts it, and gives the command what the machine would: umask, signals, environment.
 */
export const RUN = sh`${STAT}
h_d=$1 h_k1=$2
h_stat $$
printf '%-99s\n' "$$ $3 $h_st $4 $5" 1<>"$h_d/pid.$h_k1"
[ "$8" = - ] || { tty >"$h_d/tty.$h_k1"; stty cols "$\{8%x*}" rows "$\{8#*x}"; }
ln "$h_d/pid.$h_k1" "$h_d/pid" 2>/dev/null || { rm -f "$h_d/tty.$h_k1"; exit 0; }
[ "$8" = - ] || { mv "$h_d/tty.$h_k1" "$h_d/tty"; SHELL=$h_ush; [ -n "$SHELL" ] || unset SHELL; unset h_ush; }
rm -f "$h_d/pid.$h_k1" "$h_d/run.$h_k1"
trap '' PIPE; { echo begin >&6; } 2>/dev/null; trap - PIPE; exec 6>&-
h_fail() { echo "$1" >"$h_d/failed"; exit $2; }
h_look() (
  case $1 in
    */*) [ -e "$1" ] || exit 127; [ -f "$1" ] && [ -x "$1" ] || exit 126; exit 0;;
    '') exit 127;;
  esac
  h_r=127; IFS=:; set -f
  for h_x in $PATH; do
    h_x=$\{h_x:-.}/$1
    if [ -f "$h_x" ]; then [ -x "$h_x" ] && exit 0; h_r=126; fi
  done
  exit $h_r)
{ echo 500 >/proc/$$/oom_score_adj; } 2>/dev/null
umask "$6"; unset HANGAR_SERVES HANGAR_SPOOLS
export HANGAR_EXEC="$7"
`;
