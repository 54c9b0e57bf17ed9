import { sh } from './sh.ts';

/**
 * Lines "name value" of what the cgroup this runs in gives and uses, of version 2 or 1, and of the machine where there is no limit.
 * nproc and meminfo show the host in a container, so they count only beside what a cgroup says.
 * The disk is that of the home: the root of a machine may be empty and read by nobody.
 */
export const LIMITS = sh`
place=$\{HOME:-/}; [ -d "$place" ] || place=/
say() { echo "$1 $2"; }
first() { f=; for x in "$@"; do if [ -r "$x" ]; then f=$x; return 0; fi; done; return 1; }
g2= g1m= g1c= g1a=
if [ -r /proc/self/cgroup ]; then
  while IFS=: read -r x k c; do
    case ",$k," in
      ,,) g2=$c;;
    esac
    case ",$k," in *,memory,*) g1m=$c;; esac
    case ",$k," in *,cpu,*) g1c=$c;; esac
    case ",$k," in *,cpuacct,*) g1a=$c;; esac
  done </proc/self/cgroup
fi
s=/sys/fs/cgroup
if first "$s$g2/memory.max" $s/memory.max; then read -r v <"$f"; say memory.max "$v"; fi
if first "$s$g2/memory.current" $s/memory.current; then read -r v <"$f"; say memory.current "$v"
  while read -r k v; do [ "$k" = inactive_file ] && say memory.cache "$v"; done <"$\{f%current}stat"; fi
if first "$s$g2/cpu.max" $s/cpu.max; then read -r v <"$f"; say cpu.max "$v"; fi
if first "$s$g2/cpu.stat" $s/cpu.stat; then while read -r k v; do [ "$k" = usage_usec ] && say cpu.usec "$v"; done <"$f"; fi
if first "$s/memory$g1m/memory.limit_in_bytes" $s/memory/memory.limit_in_bytes; then read -r v <"$f"; say memory.max "$v"
  read -r v <"$\{f%limit_in_bytes}usage_in_bytes"; say memory.current "$v"
  while read -r k v; do [ "$k" = total_inactive_file ] && say memory.cache "$v"; done <"$\{f%limit_in_bytes}stat"; fi
if first "$s/cpu$g1c/cpu.cfs_quota_us" $s/cpu/cpu.cfs_quota_us "$s/cpu,cpuacct$g1c/cpu.cfs_quota_us" $s/cpu,cpuacct/cpu.cfs_quota_us; then
  read -r v <"$f"; read -r c <"$\{f%quota_us}period_us"; say cpu.max "$v $c"; fi
if first "$s/cpuacct$g1a/cpuacct.usage" $s/cpuacct/cpuacct.usage "$s/cpu,cpuacct$g1a/cpuacct.usage" $s/cpu,cpuacct/cpuacct.usage; then
  read -r v <"$f"; say cpu.nsec "$v"; fi
n=0
while read -r k v; do
  case $k in
    cpu) set -- $v; say host.busy "$1 $2 $3 $4 $5 $6 $7 $8";;
    cpu[0-9]*) n=$((n+1));;
  esac
done </proc/stat
say host.cpus $n
say host.hz "$(getconf CLK_TCK 2>/dev/null || echo 100)"
while read -r k v x; do case $k in MemTotal:|MemAvailable:) say "host.$k" "$v";; esac; done </proc/meminfo
read -r u x </proc/uptime; say uptime "$u"
d=$(df -Pk "$place" 2>/dev/null | tail -n 1); set -- $d; say disk "$2 $3 $4"
`;
