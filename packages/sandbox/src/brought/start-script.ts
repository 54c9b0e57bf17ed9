/** Where a program runs, as people call it. */
export type Host = 'image' | 'machine';

/** What an exit code of the script below says, which no program that is brought uses; null for every other. */
export function whyUnsuitable(exitCode: number, host: Host): string | null {
  const lacks: Readonly<Record<number, string>> = {
    91: 'has no git',
    92: 'has no glibc, and no Node of version 20 or newer of its own',
    93: 'has no folder that the worker may write to',
  };
  const what = lacks[exitCode];
  return what === undefined ? null : `The ${host} ${what}`;
}

/** Where a unit finds what the driver brought: the script that cleans up, and in `runtime` Node and its libraries, if any. */
export interface BroughtAlong {
  readonly clean: string;
  readonly runtime: string;
  readonly host: Host;
}

/**
 * First process of a unit in an image that is not ours: brings Node and the program of its only argument together with whatever
 * image it is. Its input is the program's.
 *
 * Node is linked against libstdc++, which slim images lack. The copy brought along is used only then, and taken out of
 * the environment again before anything else starts: the agent must see the image as it is.
 */
export const startScript = (at: BroughtAlong): string => `#!/bin/sh
fail() { echo "hangar: $2" >&2; exit "$1"; }
command -v git >/dev/null 2>&1 || fail 91 "the ${at.host} has no git"

dir=$HANGAR_WORKER_DIR
if ! mkdir -p "$dir" 2>/dev/null || [ ! -w "$dir" ]; then
  dir=/tmp/hangar-job
  mkdir -p "$dir" 2>/dev/null && [ -w "$dir" ] || fail 93 "no folder can be written"
fi
export HANGAR_WORKER_DIR="$dir"
if [ -z "$HOME" ] || [ ! -w "$HOME" ]; then mkdir -p "$dir/home" && export HOME="$dir/home"; fi
cd "$dir" || fail 93 "no folder can be written"
program=$1

# The last resort against a program that ignores its own limits: it ends also while no server runs.
run() {
  if [ -n "$HANGAR_WORKER_SECONDS" ] && timeout --foreground 1 true 2>/dev/null; then
    exec timeout --foreground -s KILL "$HANGAR_WORKER_SECONDS" "$@"
  fi
  exec "$@"
}

found() { for file in "$@"; do [ -e "$file" ] && return 0; done; return 1; }
if [ -x "${at.runtime}/node" ] && found /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.*; then
  if found /usr/lib/*-linux-gnu*/libstdc++.so.6 /lib/*-linux-gnu*/libstdc++.so.6 /usr/lib64/libstdc++.so.6 /lib64/libstdc++.so.6 /usr/lib/libstdc++.so.6; then
    run "${at.runtime}/node" "$program"
  fi
  if [ -e "${at.runtime}/lib/libstdc++.so.6" ]; then
    if [ -n "\${LD_LIBRARY_PATH+set}" ]; then export HANGAR_LD_LIBRARY_PATH="$LD_LIBRARY_PATH"; fi
    export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${at.runtime}/lib"
    run "${at.runtime}/node" --require "${at.clean}" "$program"
  fi
fi
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null)
[ "\${major:-0}" -ge 20 ] 2>/dev/null || fail 92 "the ${at.host} has no glibc and no Node 20"
run node "$program"
`;

/** Loaded before the program where libraries were brought along. */
export const CLEAN_SCRIPT = `'use strict';
const before = process.env.HANGAR_LD_LIBRARY_PATH;
delete process.env.HANGAR_LD_LIBRARY_PATH;
if (before === undefined) delete process.env.LD_LIBRARY_PATH;
else process.env.LD_LIBRARY_PATH = before;
`;
