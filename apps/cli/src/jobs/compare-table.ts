import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { isFinal, type Job } from '@hangar/contract';
import type { Cli } from '../cli.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { count, cut, duration, table, width } from '../terminal/words.ts';
import type { ComparedFile, Contender } from './compare.ts';
import { phaseSeconds, stateWord } from './job-words.ts';

interface Column {
  readonly head: string;
  readonly of: (job: Job, terminal: Terminal) => string;
  /** Left out in this order where the terminal is too narrow; --json has all. */
  readonly drop?: number;
  /** Left out when no job has it. */
  readonly rare?: true;
}

const NONE = '–';

const COLUMNS: readonly Column[] = [
  { head: 'Job', of: ({ id }) => id },
  { head: 'Agent', of: ({ agent }) => cut(agent, 20) },
  { head: 'State', of: ({ state }, { color }) => stateWord(state, color) },
  { head: 'Agent ran', of: (job) => agentTime(job) },
  { head: 'Files', of: ({ diff }) => (diff === null ? NONE : String(diff.filesChanged)), drop: 3 },
  { head: 'Lines', of: ({ diff }) => (diff === null ? NONE : `+${diff.insertions} -${diff.deletions}`) },
  { head: 'Tokens in/out', of: (job) => tokenWords(job), rare: true, drop: 1 },
  { head: 'Cost', of: (job) => costWords(job), rare: true },
  { head: 'Exit', of: ({ exitCode }) => (exitCode === null ? NONE : String(exitCode)), drop: 2 },
];

/** Jobs as rows of the same columns, numbered as the table of files below names them. */
export function jobTable(jobs: readonly Job[], terminal: Terminal): string[] {
  let columns = COLUMNS.filter(({ of, rare }) => !rare || jobs.some((job) => of(job, terminal) !== NONE));
  const draw = () => {
    const rows = jobs.map((job, at) => [String(at + 1), ...columns.map(({ of }) => of(job, terminal))]);
    return table([['', ...columns.map(({ head }) => terminal.color.dim(head))], ...rows], Number.MAX_SAFE_INTEGER);
  };
  let lines = draw();
  while (terminal.outIsTerminal && Math.max(...lines.map(width)) > terminal.columns) {
    const first = columns.filter(({ drop }) => drop !== undefined).sort((a, b) => (a.drop ?? 0) - (b.drop ?? 0))[0];
    if (first === undefined) break;
    columns = columns.filter((column) => column !== first);
    lines = draw();
  }
  return lines;
}

/** Which job did what to which file: counts, a letter for each way where there are several, and in a word whether they agree. */
export function fileTable(files: readonly ComparedFile[], jobs: readonly Job[], terminal: Terminal): string[] {
  const { color } = terminal;
  const cell = (file: ComparedFile, id: string): string => {
    const change = file.changes.find((one) => one.id === id);
    if (change === undefined) return color.dim('.');
    const lines =
      change.insertions === null || change.deletions === null ? 'binary' : `+${change.insertions} -${change.deletions}`;
    const several = new Set(file.changes.map(({ version }) => version)).size > 1;
    return several ? `${lines} ${color.bold(change.version)}` : lines;
  };
  const room = Math.max(20, terminal.columns - 12 - 11 * jobs.length);
  return table(
    [
      [color.dim('File'), ...jobs.map((_, at) => color.dim(String(at + 1))), ''],
      ...files.map((file) => [
        cut(file.path, terminal.outIsTerminal ? room : 400),
        ...jobs.map(({ id }) => cell(file, id)),
        verdictWords(file, jobs, terminal),
      ]),
    ],
    Number.MAX_SAFE_INTEGER,
  );
}

function verdictWords(file: ComparedFile, jobs: readonly Job[], { color }: Terminal): string {
  const numbers = file.changes.map(({ id }) => jobs.findIndex((job) => job.id === id) + 1);
  if (file.verdict === 'same') return color.green('same');
  if (file.verdict === 'alone') return `only ${numbers.join(', ')}`;
  const isOneWay = file.changes.every(({ version }) => version === file.changes[0]?.version);
  return isOneWay ? color.green(`same in ${numbers.join(', ')}`) : color.yellow('differs');
}

/** Each diff under a heading of its own. */
export async function printDiffs({ terminal, signal }: Cli, contenders: readonly Contender[]): Promise<void> {
  const { color } = terminal;
  for (const [at, { job, diffFile, note }] of contenders.entries()) {
    terminal.out();
    terminal.out(color.bold(`${at + 1}  ${job.id}  ${cut(job.agent, 40)}${note === null ? '' : `: ${note}`}`));
    if (diffFile === null) continue;
    for await (const line of createInterface({ input: createReadStream(diffFile, { signal }), crlfDelay: 1000 }))
      terminal.out(painted(line, terminal));
  }
}

function painted(line: string, { color }: Terminal): string {
  if (line.startsWith('diff --git ')) return color.bold(line);
  if (line.startsWith('@@')) return color.blue(line);
  if (line.startsWith('+') && !line.startsWith('+++ ')) return color.green(line);
  return line.startsWith('-') && !line.startsWith('--- ') ? color.red(line) : line;
}

/** What is worth a line below the tables: diffs that are not there, or not whole. */
export const notesOf = (contenders: readonly Contender[]): string[] =>
  contenders.flatMap(({ job, note }, at) => (note === null ? [] : [`${at + 1}  ${job.id} ${note}.`]));

/** What to type to have one of them: those that succeeded and changed something. */
export const pullCommands = (jobs: readonly Job[]): string[] =>
  jobs
    .filter(({ state, diff }) => state === 'succeeded' && diff !== null && diff.filesChanged > 0)
    .map(({ id }) => `hangar pull ${id}`);

function agentTime(job: Job): string {
  const running = job.phases.find(({ name }) => name === 'running');
  if (running === undefined) return NONE;
  return `${duration(phaseSeconds(running))}${isFinal(job.state) || running.endedAt !== null ? '' : ' …'}`;
}

const tokenWords = ({ usage }: Job): string =>
  usage === null ? NONE : `${short(usage.inputTokens)} / ${short(usage.outputTokens)}`;

function short(tokens: number): string {
  if (tokens < 1000) return String(tokens);
  return tokens < 999_500 ? `${(tokens / 1000).toFixed(tokens < 9950 ? 1 : 0)} k` : `${(tokens / 1e6).toFixed(1)} M`;
}

/** `$0.21`; what costs less than a cent keeps what it has. */
export function costWords({ usage }: Pick<Job, 'usage'>): string {
  if (usage === null || usage.costUsd === null) return NONE;
  const { costUsd } = usage;
  return `$${costUsd.toFixed(costUsd > 0 && costUsd < 0.01 ? 4 : 2)}`;
}

/** `3 of 5 ended: 2 succeeded, 1 failed`. */
export function sumWords(jobs: readonly Job[]): string {
  const ended = jobs.filter(({ state }) => isFinal(state));
  const succeeded = ended.filter(({ state }) => state === 'succeeded').length;
  const rest = ended.length - succeeded;
  return `${ended.length} of ${count(jobs.length, 'job')} ended: ${succeeded} succeeded${rest === 0 ? '' : `, ${rest} did not`}`;
}
