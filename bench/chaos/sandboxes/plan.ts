import { createHash } from 'node:crypto';
import { drawKills, type PlannedKill, random } from '../plan.ts';

/**
 * What may be killed. In a machine: the supervisor of an execution, its keeper (hears of stops), a copier (takes down what is
 * printed, or feeds the input), the command itself, and what follows it for the server. On the way there: an ssh connection, a session in one, all that an sshd serves, the
 * connections to the Engine; `cut`: the Engine is out of reach for a while.
 */
const WEIGHTS = {
  ...{ server: 20, postmaster: 4, backend: 6 },
  ...{ supervisor: 8, keeper: 6, copier: 6, command: 8, follower: 12 },
  ...{ master: 9, session: 7, sshd: 6, engine: 5, cut: 3 },
} as const;
export type Victim = keyof typeof WEIGHTS;

export const planSandboxKills = (seed: number, count: number): PlannedKill<Victim>[] =>
  drawKills<Victim>(seed, count, WEIGHTS, 'follower');

const KINDS = ['short', 'counting', 'input', 'much', 'children', 'cancelled', 'late'] as const;
export type Kind = (typeof KINDS)[number];

export interface PlannedExecution {
  readonly tag: string;
  readonly kind: Kind;
  /** Lines of stdout; of `cancelled` and `late` there is no end. */
  readonly lines: number;
  readonly exitCode: number;
  readonly inputBytes: number;
  readonly cancelAfterMs: number;
}

const SHARE: Readonly<Record<Kind, number>> = {
  ...{ short: 0.24, counting: 0.26, input: 0.12, much: 0.12, children: 0.1, cancelled: 0.08, late: 0.08 },
};

export function planExecution(seed: number, n: number): PlannedExecution {
  const next = random(seed * 1_000_003 + n);
  const place = next();
  const shareUpTo = (last: number) => KINDS.slice(0, last + 1).reduce((sum, each) => sum + SHARE[each], 0);
  const kind = KINDS.find((_each, index) => place < shareUpTo(index)) ?? 'short';
  const size = next();
  const lines = { short: 1, counting: 15 + 65 * size, input: 0, much: 20_000 + 60_000 * size, children: 9 };
  return {
    ...{ tag: `t${seed}-${n}`, kind },
    lines: kind === 'cancelled' || kind === 'late' ? Number.POSITIVE_INFINITY : Math.floor(lines[kind]),
    exitCode: next() < 0.3 ? 1 + Math.floor(next() * 100) : 0,
    inputBytes: Math.floor(1_000 + size * 900_000),
    cancelAfterMs: Math.floor(200 + size * 3_000),
  };
}

export const TIMEOUT_SECONDS = 3;
const COUNT = 'i=$((i+1)); echo "line $i of $tag"; echo "err $i of $tag" >&2; sleep 0.2';

/** For sh. Every byte that it prints can be told from its tag. */
export function scriptOf({ tag, kind, lines, exitCode }: PlannedExecution): string {
  // What ignores TERM and what has a session of its own end with it.
  const stubborn = `trap '' TERM; setsid sleep 900 & i=0; while :; do ${COUNT}; done`;
  const bodies: Readonly<Record<Kind, string>> = {
    short: 'echo "line 1 of $tag"; echo "err 1 of $tag" >&2',
    counting: `i=0; while [ $i -lt ${lines} ]; do ${COUNT}; done`,
    input: 'cat',
    much: `seq -f "line %.0f of $tag" ${lines}; echo "err 1 of $tag" >&2`,
    children: `for part in 0 1 2; do setsid sh -c 'i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo "line $(($1 * 3 + i)) of $2"; sleep 0.3; done' child $part $tag & wait $!; done`,
    cancelled: stubborn,
    late: stubborn,
  };
  return `tag=${tag}\n${bodies[kind]}\nexit ${exitCode}\n`;
}

export function inputOf({ tag, inputBytes }: PlannedExecution): Buffer {
  const blocks = Array.from({ length: Math.ceil(inputBytes / 64) }, (_, n) =>
    createHash('sha512').update(`${tag} ${n}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, inputBytes);
}

/** The first bytes that it prints on a stream: all of them, or at least so many. */
export function printedBy(plan: PlannedExecution, stream: 'stdout' | 'stderr', atLeast: number): Buffer {
  const { kind, tag } = plan;
  if (kind === 'input') return stream === 'stdout' ? inputOf(plan) : Buffer.alloc(0);
  const word = stream === 'stdout' ? 'line' : 'err';
  const most = stream === 'stdout' ? plan.lines : kind === 'children' ? 0 : kind === 'much' ? 1 : plan.lines;
  const parts: string[] = [];
  for (let n = 1, length = 0; n <= most && (most < Number.POSITIVE_INFINITY || length < atLeast); n++) {
    const line = `${word} ${n} of ${tag}\n`;
    parts.push(line);
    length += line.length;
  }
  return Buffer.from(parts.join(''));
}
