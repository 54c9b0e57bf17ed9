import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { isFinal, type Job } from '@hangar/contract';
import { verdictWords } from '@hangar/contract/words/group';
import { agentMs, jobWords } from '@hangar/contract/words/job';
import { costWords, tokenWords } from '@hangar/contract/words/resources';
import { formatDuration } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { stateText } from '../../terminal/tones.ts';
import { cut, table, width } from '../../terminal/words.ts';
import type { ComparedFile, Contender } from './compare.ts';

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
  { head: 'State', of: (job, { color }) => stateText(jobWords(job), color) },
  { head: 'Agent ran', of: (job) => agentTime(job) },
  { head: 'Files', of: ({ diff }) => (diff === null ? NONE : String(diff.filesChanged)), drop: 3 },
  { head: 'Lines', of: ({ diff }) => (diff === null ? NONE : `+${diff.insertions} -${diff.deletions}`) },
  { head: 'Tokens in/out', of: ({ usage }) => tokenWords(usage) ?? NONE, rare: true, drop: 1 },
  { head: 'Cost', of: ({ usage }) => costWords(usage) ?? NONE, rare: true },
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
        verdictText(file, jobs, terminal),
      ]),
    ],
    Number.MAX_SAFE_INTEGER,
  );
}

function verdictText(file: ComparedFile, jobs: readonly Job[], { color }: Terminal): string {
  const numbers = file.changes.map(({ id }) => jobs.findIndex((job) => job.id === id) + 1);
  const ways = new Set(file.changes.map(({ version }) => version)).size;
  const words = verdictWords(file.verdict, numbers, ways);
  if (file.verdict === 'alone') return words;
  return ways === 1 ? color.green(words) : color.yellow(words);
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
  const ms = agentMs(job);
  if (ms === null) return NONE;
  return `${formatDuration(ms)}${job.phases.at(-1)?.name === 'running' && !isFinal(job.state) ? ' …' : ''}`;
}
