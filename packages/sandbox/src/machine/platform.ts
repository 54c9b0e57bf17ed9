import { HangarError } from '@hangar/contract';
import type { CallOptions } from '../port/call.ts';
import { limitsOf } from './limits.ts';
import { LIMITS } from './limits-script.ts';
import { sh } from './sh.ts';
import type { Talk } from './talk.ts';
import type { Platform, Tool } from './types.ts';

const TOOLS: readonly Tool[] = ['sh', 'bash', 'git', 'node', 'python3', 'tar', 'script', 'setsid', 'stat', 'find'];

/** Asked for one by one with nothing on standard input and a short while each: a version manager may want the network. */
const PLATFORM = sh`
n=$(date +%s%N 2>/dev/null); case $n in *[!0-9]*|'') n=$(date +%s)000000000;; esac
[ $\{#n} -ge 18 ] || n=$(date +%s)000000000
echo "now $n"
echo "uname $(uname -s) $(uname -m) $(uname -r)"
( [ -r /etc/os-release ] && . /etc/os-release; echo "distribution $PRETTY_NAME" )
echo "id $(id -u) $(id -un 2>/dev/null)"
h=$HOME; [ -n "$h" ] || h=/
echo "home $h"
for t in sh bash git node python3 tar script setsid stat find; do
  command -v $t >/dev/null 2>&1 || continue
  v=
  case $t in sh) ;; *)
    if command -v timeout >/dev/null 2>&1; then v=$(timeout 5 $t --version 2>&1 </dev/null); else v=$($t --version 2>&1 </dev/null); fi
    [ $? = 0 ] || v=;;
  esac
  echo "tool $t $(printf '%s\n' "$v" | head -n 1 | tr -d '\r' | cut -c 1-200)"
done
${LIMITS}
`;

export async function readPlatform(talk: Talk, o: CallOptions): Promise<Platform> {
  const facts = await talk.facts(o);
  const asked = Date.now();
  const { code, error, output } = await talk.ask(PLATFORM, [], o);
  const answered = Date.now();
  const lines = output.toString().split('\n');
  const rest = (name: string) => lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? '';
  const [os = '', arch = '', ...kernel] = rest('uname').split(' ');
  const [uid = '', user = ''] = rest('id').split(' ');
  const told = rest('now');
  const now = Number(told.slice(0, -6));
  // A date that counts seconds means any time in this one.
  const latest = told.endsWith('000000000') ? now + 999 : now;
  if (code !== 0 || os === '' || uid === '')
    throw new HangarError('connection_lost', { message: `The machine does not say what it is. ${error}` });
  const limits = limitsOf(output.toString());
  const tools: Record<Tool, string | null> = Object.fromEntries(TOOLS.map((tool) => [tool, null])) as Record<
    Tool,
    null
  >;
  for (const line of lines) {
    const [, tool, version = ''] = /^tool (\w+) ?(.*)$/.exec(line) ?? [];
    if (TOOLS.includes(tool as Tool)) tools[tool as Tool] = version;
  }
  return {
    ...{ os, arch, kernel: kernel.join(' '), distribution: rest('distribution') || null },
    ...{ home: rest('home') || '/', uid: Number(uid), user: user || uid },
    ...{ cpus: limits.cpusMost, memoryBytes: limits.memoryMost },
    ...{ diskBytes: limits.diskMost, diskFreeBytes: limits.diskFree, tools, gnu: facts.printf && facts.followsPid },
    // It looked at its clock soon after it was asked.
    clockSkewMs: latest >= asked && now <= answered ? 0 : now > answered ? now - answered : latest - asked,
    terminal: facts.script ? 'supervised' : 'none',
  };
}
