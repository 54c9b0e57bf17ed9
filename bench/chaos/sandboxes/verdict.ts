import { createHash } from 'node:crypto';
import { type Execution, isEnded } from '@hangar/contract';
import type { Client } from '../client.ts';
import type { Kill } from '../killer.ts';
import { type Check, checking } from '../verdict.ts';
import type { Seen, SentExecution } from './crew.ts';
import { printedBy, type Victim } from './plan.ts';

/** Everything that can be known of one execution when all is over. */
export interface Evidence {
  readonly sent: SentExecution;
  readonly execution: Execution;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly seen: Seen;
  /** Kills of something that worked for it alone. */
  readonly hits: readonly Kill<Victim>[];
}

export async function gather(client: Client, sent: SentExecution, kills: readonly Kill<Victim>[]): Promise<Evidence> {
  const { id } = sent;
  const output = async (stream: string) =>
    (await client.bytes(`/drivers/executions/${id}/output?stream=${stream}`))?.bytes ?? Buffer.alloc(0);
  return {
    ...{ sent, seen: await sent.seen, execution: await client.json<Execution>('GET', `/drivers/executions/${id}`) },
    ...{ stdout: await output('stdout'), stderr: await output('stderr') },
    hits: kills.filter((kill) => kill.of === id),
  };
}

export function judge(evidence: readonly Evidence[]): Check[] {
  const check = checking(nameOf);
  const bytes = evidence.reduce((sum, { stdout, stderr }) => sum + stdout.length + stderr.length, 0);
  return [
    check('every execution has ended', evidence, ({ execution: { state } }) =>
      isEnded(state) ? null : `it is ${state}`,
    ),
    check('each state is true', evidence, untruth),
    check(
      'every byte is there once, in order',
      evidence,
      (one) => outputProblem(one, 'stdout') ?? outputProblem(one, 'stderr'),
      `${(bytes / 1e6).toFixed(0)} MB`,
    ),
    check(
      'followers saw the same',
      evidence,
      ({ seen, stdout, stderr }) => {
        if (!seen.end) return 'the end never came';
        if (seen.gaps.length > 0) return `${seen.gaps[0]}`;
        return seen.stdout === digestOf(stdout) && seen.stderr === digestOf(stderr) ? null : 'other bytes';
      },
      `${evidence.reduce((sum, { seen }) => sum + seen.reconnects, 0)} reconnects`,
    ),
    check('what was to end ended whole', evidence.filter(isStopped), ({ execution: { leftover } }) =>
      leftover === 0 ? null : `${leftover} processes are left`,
    ),
  ];
}

const isStopped = ({ execution: { state } }: Evidence) => state === 'cancelled' || state === 'timed_out';
const isHit = ({ hits }: Evidence, ...victims: Victim[]) => hits.some(({ victim }) => victims.includes(victim));

function wentAsPlanned({ sent: { plan }, execution: { state, exitCode } }: Evidence): boolean {
  if (plan.kind === 'cancelled') return state === 'cancelled';
  if (plan.kind === 'late') return state === 'timed_out';
  return plan.exitCode === 0 ? state === 'succeeded' : state === 'failed' && exitCode === plan.exitCode;
}

/** Null when the state says what happened. */
function untruth(one: Evidence): string | null {
  const { state, signal, exitCode, reason } = one.execution;
  if (wentAsPlanned(one)) return null;
  const detail = `exit code ${exitCode}, signal ${signal}: ${reason}`;
  if (state === 'lost') return isHit(one, 'supervisor', 'copier') ? null : `nobody killed its supervisor; ${detail}`;
  if (state === 'failed' && signal === 'SIGKILL') return isHit(one, 'command') ? null : `nobody killed it; ${detail}`;
  return detail;
}

/** What ended as planned printed all of it; what did not has printed the first part of it. */
function outputProblem(one: Evidence, stream: 'stdout' | 'stderr'): string | null {
  const { plan } = one.sent;
  const printed = one[stream];
  const { output } = one.execution;
  if (output.truncated) return `${stream} is said to be cut`;
  if (output[stream] !== printed.length) return `${stream} has ${printed.length} bytes, told are ${output[stream]}`;
  const own = isStopped(one) && stream === 'stderr' ? withoutKills(printed) : printed;
  const all = printedBy(plan, stream, own.length);
  const isWhole = wentAsPlanned(one) && plan.lines < Number.POSITIVE_INFINITY;
  if (isWhole && printed.length !== all.length) return `${stream} has ${printed.length} bytes of ${all.length}`;
  if (digestOf(own) === digestOf(all.subarray(0, own.length))) return null;
  return `${stream} has other bytes, last ${JSON.stringify(printed.subarray(-80).toString())}`;
}

/** Of what is ended with its tree the shell may see its command go first: it says so in its own output, and goes on for a moment. */
const withoutKills = (printed: Buffer): Buffer =>
  Buffer.from(printed.toString('latin1').replaceAll(/^(?:Killed|Terminated) *\n/gm, ''), 'latin1');

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const hitsOf = ({ hits }: Evidence) =>
  hits.length === 0 ? 'nothing' : hits.map(({ n, victim }) => `${victim} by kill ${n}`).join(', ');
const nameOf = (one: Evidence) =>
  `${one.sent.id} ${one.sent.plan.tag} (${one.sent.plan.kind}, ${one.sent.sandbox.driver}, ${one.execution.state}; hit: ${hitsOf(one)})`;

/** How executions ended, by what of them was killed. */
export function endings(evidence: readonly Evidence[]): string[] {
  const counts = new Map<string, number>();
  for (const one of evidence) {
    const hit = [...new Set(one.hits.map(({ victim }) => victim))].sort().join('+') || 'nothing';
    const key = `${one.sent.plan.kind.padEnd(10)} ${hit.padEnd(20)} ${one.execution.state}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, count]) => `${String(count).padStart(5)}  ${key}`);
}
