import type { JobDetail, Phase } from '@hangar/contract';
import { isFinal } from '@hangar/contract/state-words';
import { JOB_WORDS, jobSince, jobWords, placeWords } from '@hangar/contract/words/job';
import { etaWords, wayOutFor } from '@hangar/contract/words/job-ending';
import { plural } from '@hangar/contract/words/number';
import { limitWords, usageWords } from '@hangar/contract/words/resources';
import {
  formatDuration,
  formatSeconds,
  relativeTime,
  spanMs,
  timesUsual,
  usualWords,
} from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { isLocalRun, jobArgument } from '../../jobs/job-id.ts';
import { diffWords, nextCommands } from '../../jobs/job-words.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { stateText } from '../../terminal/tones.ts';
import { cut, wrap } from '../../terminal/words.ts';

export const command = defineCommand<GlobalFlags, string[]>({
  brief: 'Where a job stands, and why',
  examples: [
    ['status', 'the newest job or run of this repository'],
    ['status j_7k2m9p4x --json', 'one job, for programs'],
  ],
  about: [
    'Shows the phase, how long each phase took and what it usually takes (the median of earlier jobs of the same repository and agent), why the job waits, when the worker was heard last, and when it is expected to end. A job that failed says why, with the line of its log that shows it.',
  ],
  json: 'One job: what GET /jobs/{id} answers; of a run on this machine {"id", "title", "state", "exitCode", "reason", "failure", "diff", "diffFile", "commit", "startedAt", "finishedAt"}. Several: {"items": [...]}, in the order they were named. Without an ID: one.',
  parameters: {
    flags: globalFlags,
    positional: {
      kind: 'array',
      parameter: { ...jobArgument, brief: 'One or more jobs or runs; the newest of this repository when left out' },
    },
  },
  async run(flags, ...ids) {
    const { terminal } = this;
    const wanted =
      ids.length > 0
        ? ids
        : [await (await import('../../jobs/newest.ts')).newestHere(this, flags.server, { ended: false })];
    // One after the other: the first look at runs on this machine also ends what lost ones have left behind.
    const runs = new Map<string, Seen>();
    for (const id of wanted.filter(isLocalRun)) runs.set(id, await localRun(this, id));
    const found = await Promise.all(
      wanted.map(async (id) => runs.get(id) ?? (await serverJob(this, flags.server, id))),
    );
    if (flags.json) return terminal.json(ids.length > 1 ? { items: found.map(({ json }) => json) } : found[0]?.json);
    found.forEach((seen, index) => {
      if (index > 0) terminal.out();
      seen.show();
    });
    terminal.next(...(found[0]?.next ?? []));
  },
});

/** A job or run, however it was found. */
interface Seen {
  readonly json: unknown;
  readonly next: string[];
  show(): void;
}

async function serverJob({ api, terminal }: Cli, server: string | undefined, id: string): Promise<Seen> {
  const job = await (await api(server)).client.jobs.get({ id });
  return { json: job, next: nextCommands(job), show: () => show(job, terminal) };
}

async function localRun(cli: Cli, id: string): Promise<Seen> {
  const [{ needLocalRun }, { diffFileOf }, { localJson, localNext, showLocalRun }] = await Promise.all([
    import('../../jobs/local/lost-runs.ts'),
    import('../../jobs/local/local-runs.ts'),
    import('../../jobs/local/local-words.ts'),
  ]);
  const run = await needLocalRun(cli, id);
  return {
    json: localJson(run, diffFileOf(run)),
    next: localNext(run),
    show: () => showLocalRun(run, cli.terminal),
  };
}

function show(job: JobDetail, terminal: Terminal): void {
  const { color, columns } = terminal;
  const row = (name: string, value: string) => {
    const [first = '', ...rest] = wrap(value, columns, ' '.repeat(11)).split('\n');
    terminal.out(`${color.dim(name.padEnd(10))} ${first.trimStart()}`);
    for (const line of rest) terminal.out(line);
  };
  terminal.out(`${color.bold(job.id)}  ${job.title}`);
  terminal.out(`${stateText(jobWords(job), color)} ${sinceWords(job)}`);
  if (job.reason !== '' && job.reason !== job.failure?.message) row('Why', job.reason);
  if (job.queue !== null)
    row('Queue', `position ${job.queue.position}; ${job.queue.running} of ${job.queue.limit} of your places in use`);
  const eta = etaWords(job.eta);
  if (eta !== null && !isFinal(job.state)) row('Expected', eta);
  const heard = lastWordWords(job);
  if (heard !== null) row('Worker', heard);
  if (job.failure !== null) {
    // The reason of a job that failed is its failure.
    row('Failure', `${job.failure.message} [${job.failure.code}]`);
    if (job.evidence !== null) {
      const { n, text } = job.evidence;
      const label = `line ${n}: `;
      row('Shown by', `${label}${cut(text.trim(), Math.max(30, 3 * (columns - 11) - label.length))}`);
    }
    row('What to do', wayOutFor(job.failure.wayOut, job.id));
  }
  const usual = job.phases.map((phase) => usualOf(job, phase));
  const widest = Math.max(0, ...usual.map(({ words }) => words.length));
  const beside = ({ words, isSlow }: Usual = NOT_USUAL): string =>
    widest === 0 ? '' : (isSlow ? color.yellow : color.dim)(`${words.padEnd(widest)}  `);
  const total = job.phases.reduce((sum, { startedAt, endedAt }) => sum + spanMs(startedAt, endedAt), 0);
  for (const [index, phase] of job.phases.entries()) {
    const ms = spanMs(phase.startedAt, phase.endedAt);
    const filled = total > 0 ? Math.max(ms > 0 ? 1 : 0, Math.round((ms / total) * 12)) : 0;
    const reason = phase.reason === null || phase.reason === job.reason ? '' : `  ${color.dim(phase.reason)}`;
    terminal.out(
      `${color.dim((index === 0 ? 'Phases' : '').padEnd(10))} ${JOB_WORDS[phase.name].word.padEnd(10)} ${formatDuration(ms).padStart(10)}  ${beside(usual[index])}${color.blue('▇'.repeat(filled))}${reason}`,
    );
  }
  row(
    'Repository',
    `${job.repo.name}${job.repo.ref === null ? '' : ` at ${job.repo.ref}`}${job.repo.commit === null ? '' : ` (${job.repo.commit.slice(0, 10)})`}${job.repo.fromCheckout ? ', sent from a checkout' : ''}`,
  );
  const limits = [limitWords(job.resources), `timeout ${formatSeconds(job.timeoutSeconds)}`].filter(Boolean);
  row(
    'Agent',
    `${job.agent} ${placeWords(job)} (${job.driver}${job.image === null ? '' : `, ${job.image}`}), ${limits.join(', ')}`,
  );
  row('Diff', `${diffWords(job)}${job.exitCode === null ? '' : `; the agent ended with ${job.exitCode}`}`);
  for (const note of job.diff?.leftOut ?? []) row('Left out', `${note}.`);
  if (job.usage !== null) row('Usage', usageWords(job.usage));
  row('Log', plural(job.logLines, 'line'));
  if (job.group !== null) row('Group', `${job.group}; hangar compare --group ${job.group}`);
  if (job.retryOf !== null) row('Retry of', job.retryOf);
  const kept = keptWords(job);
  if (kept !== null) row('Kept', kept);
}

interface Usual {
  readonly words: string;
  readonly isSlow: boolean;
}
const NOT_USUAL: Usual = { words: '', isSlow: false };

/** What a phase usually takes; much more than that is said. */
function usualOf(job: JobDetail, phase: Phase): Usual {
  const seconds = job.typical.find(({ name }) => name === phase.name)?.medianSeconds;
  if (seconds === undefined) return NOT_USUAL;
  const times = timesUsual(spanMs(phase.startedAt, phase.endedAt), seconds * 1000);
  return { words: usualWords(times, seconds * 1000), isSlow: times !== null };
}

const sinceWords = (job: JobDetail): string =>
  isFinal(job.state)
    ? `${relativeTime(job.stateSince)}, after ${formatSeconds(job.elapsedSeconds)}`
    : `since ${formatDuration(spanMs(jobSince(job), null))}`;

/** What is gone, and until when the rest is kept; null without a limit. */
function keptWords({ kept }: JobDetail): string | null {
  const word = (what: string, removedAt: string | null, until: string | null) =>
    removedAt !== null
      ? [`${what} removed on ${removedAt.slice(0, 10)}`]
      : until !== null
        ? [`${what} until ${until.slice(0, 10)}`]
        : [];
  const words = [
    ...word('log', kept.logRemovedAt, kept.logUntil),
    ...word('artifacts', kept.artifactsRemovedAt, kept.artifactsUntil),
  ];
  return words.length === 0 ? null : words.join('; ');
}

/** When the worker of a job under way was heard, and what it said. */
function lastWordWords(job: JobDetail): string | null {
  if (job.lastWordFromWorkerAt === null || isFinal(job.state)) return null;
  return `last heard ${relativeTime(job.lastWordFromWorkerAt)}`;
}
