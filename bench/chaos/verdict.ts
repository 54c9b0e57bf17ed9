import { isFinal } from '@hangar/contract';
import { allLines, applyProblem, diffProblem, type Evidence, numberedLines } from './evidence.ts';
import type { Base } from './fleet.ts';
import type { Kill } from './killer.ts';
import type { Markers } from './markers.ts';

export interface Check {
  readonly name: string;
  /** How many things were looked at. */
  readonly looked: number;
  /** What does not hold, in words. */
  readonly wrong: readonly string[];
  readonly note?: string;
}

/** Without an outage for so long a worker gets through: its pauses grow to 7.5 s, and a database is back after 3 s. */
const CALM_MS = 12_000;
/** To collect and send a small diff on a busy machine. */
const SAVING_MS = 3_000;
/** Applying takes three processes each. */
const APPLIED_MOST = 60;

const isHit = (evidence: Evidence, ...victims: Kill['victim'][]) =>
  evidence.hits.some(({ victim }) => victims.includes(victim));

/** It went as planned: to the end of the agent, with the agent's own exit code. */
const wentAsPlanned = ({ job, plan }: Evidence) =>
  plan.exitCode === 0
    ? job.state === 'succeeded'
    : job.state === 'failed' && job.failure?.code === 'agent_failed' && job.exitCode === plan.exitCode;

/** Makes a check of some: of each that something is wrong with, its name and what that is. */
export const checking =
  <Of>(nameOf: (one: Of) => string) =>
  (name: string, some: readonly Of[], problem: (one: Of) => string | null, note?: string): Check => ({
    name,
    looked: some.length,
    wrong: some.flatMap((one) => {
      const wrong = problem(one);
      return wrong === null ? [] : [`${nameOf(one)}: ${wrong}`];
    }),
    ...(note === undefined ? {} : { note }),
  });

export function judge(o: {
  evidence: readonly Evidence[];
  markers: Markers;
  base: Base;
  kills: readonly Kill[];
  /** When the server was ready, each time it had been started. */
  upFrom: readonly number[];
  checkpointMs: number;
}): Check[] {
  const { evidence, markers } = o;
  const check = checking((one: Evidence) => `${one.sent.id} ${one.plan.tag} (${stateOf(one)}; hit: ${hitsOf(one)})`);
  const begun = (one: Evidence) => markers.of(one.plan.tag, 'begin');
  const whole = evidence.filter(wentAsPlanned);
  const interrupted = evidence.filter((one) => !wentAsPlanned(one));
  const saved = interrupted.filter(({ diff }) => diff !== null);
  const due = interrupted.filter((one) => hadTimeForCheckpoint(one, begun(one)[0]?.at, o));
  const applied = whole.filter((_one, index) => index % Math.ceil(whole.length / APPLIED_MOST) === 0);

  return [
    check('every job has ended', evidence, ({ job }) => (isFinal(job.state) ? null : `it is ${job.state}`)),
    check('each state is true', evidence, untruth),
    check('no agent ran twice', evidence, (one) => {
      const begins = begun(one).length;
      const ends = markers.of(one.plan.tag, 'end').length;
      if (begins > 1 || ends > 1) return `${begins} begins, ${ends} ends`;
      if (begun(one).some(({ jobId }) => jobId !== one.sent.id)) return 'it ran for another job';
      return wentAsPlanned(one) && (begins !== 1 || ends !== 1) ? `${begins} begins, ${ends} ends` : null;
    }),
    check('logs are complete, in order, once', evidence, (one) => {
      if (!one.logEnded) return 'the log has not ended';
      const gap = one.lines.find(({ n }, index) => n !== index + 1);
      if (gap) return `line ${gap.n} is out of its place`;
      const count = numberedLines(one);
      if (count === null) return 'the lines of the agent are not 1, 2, 3 …';
      return wentAsPlanned(one) && count !== allLines(one.plan) ? `${count} lines of ${allLines(one.plan)}` : null;
    }),
    check(
      'followers saw the same',
      evidence,
      ({ followed, lines }) => {
        if (!followed.end) return 'the end never came';
        if (followed.gaps.length > 0) return `line ${followed.gaps[0]}`;
        return followed.lines.join('\n') === lines.map(({ stream, text }) => `${stream} ${text}`).join('\n')
          ? null
          : `${followed.lines.length} lines, the log has ${lines.length}`;
      },
      `${evidence.reduce((sum, { followed }) => sum + followed.reconnects, 0)} reconnects`,
    ),
    check('finished diffs are right', whole, (one) => {
      const isPartial = one.plan.exitCode !== 0;
      if (one.diff && one.diff.partial !== isPartial) return `partial is ${one.diff.partial}`;
      return diffProblem(one, true);
    }),
    check('finished diffs apply', applied, (one) => applyProblem(one, o.base)),
    check(
      'artifacts are there',
      whole.filter(({ plan }) => plan.artifact),
      (one) => (one.report === `report of ${one.plan.tag}\n` ? null : `report.txt: ${one.report}`),
    ),
    check('diffs of interrupted jobs are right', saved, (one) => {
      // The last one was saved, and the word that the job has ended was not.
      const isWhole = one.diff?.partial === false;
      if (isWhole && markers.of(one.plan.tag, 'end').length === 0) return 'it is not marked as partial';
      if (one.job.diff === null) return 'the job does not know of it';
      return diffProblem(one, isWhole);
    }),
    check('partial diffs are there where there was time', due, (one) => (one.diff ? null : 'there is none')),
  ];
}

/** Null when the state says what happened. */
function untruth(one: Evidence): string | null {
  const { job } = one;
  if (job.reason.trim() === '') return 'it gives no reason';
  if (wentAsPlanned(one)) return null;
  const code = job.failure?.code ?? 'none';
  const detail = `${code}, exit code ${job.exitCode}: ${job.reason}`;
  if (job.state === 'lost')
    return isHit(one, 'worker', 'wrapper') && code === 'worker_lost' ? null : `nobody killed its worker; ${detail}`;
  if (job.state !== 'failed') return detail;
  if (code === 'agent_failed')
    return isHit(one, 'agent') && (job.exitCode === 137 || job.exitCode === 1)
      ? null
      : `its agent was not killed; ${detail}`;
  if (code === 'launch_failed') return isHit(one, 'worker', 'wrapper') ? null : `nothing of it was killed; ${detail}`;
  return isHit(one, 'git') && code === 'git_killed' ? null : detail;
}

/** When a checkpoint was due, server and database were left in peace for long enough. An agent's end saves too. */
function hadTimeForCheckpoint(
  one: Evidence,
  beganAt: number | undefined,
  o: { kills: readonly Kill[]; upFrom: readonly number[]; checkpointMs: number },
): boolean {
  if (beganAt === undefined || numberedLines(one) === 0 || isHit(one, 'git')) return false;
  const end = one.hits.find(({ victim }) => victim === 'worker' || victim === 'wrapper')?.at;
  if (end === undefined) return true;
  const due = beganAt + o.checkpointMs;
  const outages = o.kills
    .filter(({ victim, at }) => ['server', 'postmaster', 'backend'].includes(victim) && at > due - CALM_MS && at < end)
    // A server is away until it is ready again, which takes as long as the machine is busy.
    .map(({ victim, at }) => ({ from: at, to: victim === 'server' ? (o.upFrom.find((up) => up > at) ?? end) : at }));
  // An outage before it was due may still be felt, so the calm counts from there.
  const calms = [{ from: 0, to: due - CALM_MS }, ...outages].map(({ to }, index) => ({
    from: to,
    to: outages[index]?.from ?? end,
  }));
  return calms.some(({ from, to }) => to - from > CALM_MS && to - due > SAVING_MS);
}

const hitsOf = ({ hits }: Evidence) =>
  hits.length === 0 ? 'nothing' : hits.map(({ n, victim, what }) => `${victim} ${what} by kill ${n}`).join(', ');
const stateOf = ({ job }: Evidence) => (job.failure ? `${job.state} ${job.failure.code}` : job.state);

/** How jobs ended, by what of them was killed. */
export function endings(evidence: readonly Evidence[]): string[] {
  const counts = new Map<string, number>();
  for (const one of evidence) {
    const hit = [...new Set(one.hits.map(({ victim }) => victim))].sort().join('+') || 'nothing';
    const key = `${hit.padEnd(16)} ${stateOf(one)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, count]) => `${String(count).padStart(5)}  ${key}`);
}
