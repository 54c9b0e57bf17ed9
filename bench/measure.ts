import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../tests/e2e/server-process.ts';

type Unit = 'ms' | '/s' | 'MB' | 'cores';

/** One figure a run: milliseconds, or `values` of another unit. */
export type Series =
  | { readonly label: string; readonly ms: readonly number[] }
  | { readonly label: string; readonly unit: Unit; readonly values: readonly number[] };

/** The same measured at several sizes, the smallest first. Worse than linear is a defect. */
export interface Growth {
  readonly of: string;
  readonly unit: Unit;
  readonly sizes: readonly { readonly size: string; readonly value: number }[];
}

export interface Bar {
  readonly id: string;
  readonly what: string;
  readonly bar: string;
  readonly met: boolean;
  readonly result: string;
  readonly series: readonly Series[];
  readonly growth?: readonly Growth[];
  /** Where the time goes, when the bar is missed; what was not measured. */
  readonly notes?: readonly string[];
  readonly command: string;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** Runs floor and subject in turn, so that both feel the same noise. */
export async function interleave(
  rounds: number,
  floor: () => Promise<void>,
  subject: () => Promise<void>,
): Promise<{ floor: number[]; subject: number[] }> {
  const result = { floor: [] as number[], subject: [] as number[] };
  await floor();
  await subject();
  for (let round = 0; round < rounds; round++) {
    result.floor.push(await timed(floor));
    result.subject.push(await timed(subject));
  }
  return result;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Seconds of processor time that a process has used, from /proc. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const DAY_FILE = /^(\d{4}-\d\d-\d\d)\.json$/;

interface Day {
  readonly machine: string;
  readonly bars: readonly Bar[];
}

/** Adds a bar to today's results, and makes docs/benchmarks.md of the newest result of each bar, from whatever day. */
export function record(bar: Bar): void {
  const dir = join(ROOT, 'bench/results');
  mkdirSync(dir, { recursive: true });
  const today = new Date().toISOString().slice(0, 10);
  const days = readDays(dir);
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 1024 ** 3)} GiB, Node ${process.versions.node}`;
  const bars = [...(days.get(today)?.bars ?? []).filter(({ id }) => id !== bar.id), bar].sort(
    (a, b) => place(a) - place(b),
  );
  days.set(today, { machine, bars });
  writeFileSync(join(dir, `${today}.json`), `${JSON.stringify({ machine, bars }, null, 2)}\n`);
  writeFileSync(join(ROOT, 'docs/benchmarks.md'), page(machine, newestOf(days)));
  console.log(`${bar.id} ${bar.what}: ${bar.result} (bar: ${bar.bar}) ${bar.met ? 'met' : 'MISSED'}`);
  for (const series of bar.series) console.log(`   ${inWords(series)}`);
  for (const growth of bar.growth ?? []) console.log(`   ${growthInWords(growth)}`);
  for (const note of bar.notes ?? []) console.log(`   ${note}`);
}

function readDays(dir: string): Map<string, Day> {
  const days = new Map<string, Day>();
  for (const name of readdirSync(dir).toSorted()) {
    const day = DAY_FILE.exec(name)?.[1];
    if (day !== undefined) days.set(day, JSON.parse(readFileSync(join(dir, name), 'utf8')) as Day);
  }
  return days;
}

type Dated = Bar & { readonly day: string; readonly machine: string };

function newestOf(days: ReadonlyMap<string, Day>): Dated[] {
  const newest = new Map<string, Dated>();
  for (const [day, { machine, bars }] of [...days].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    for (const bar of bars) newest.set(bar.id, { ...bar, day, machine });
  return [...newest.values()].sort((a, b) => place(a) - place(b));
}

/** Bars first, by number; what is not a bar after them. */
const place = ({ id }: Bar): number => (/^P\d+$/.test(id) ? Number(id.slice(1)) : 1000);

const unitOf = (series: Series): Unit => ('ms' in series ? 'ms' : series.unit);
const valuesOf = (series: Series): readonly number[] => ('ms' in series ? series.ms : series.values);

function inWords(series: Series): string {
  const values = valuesOf(series);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => rounded(quantile(values, q)));
  return `${series.label}: ${middle} ${unitOf(series)} (${low}–${high}, n=${values.length})`;
}

const growthInWords = ({ of, unit, sizes }: Growth): string =>
  `${of}: ${sizes.map(({ size, value }) => `${size} → ${rounded(value)} ${unit}`).join(', ')}`;

const rounded = (value: number): string => (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(0));

function page(machine: string, bars: readonly Dated[]): string {
  const rows = bars.map(
    (bar) =>
      `| ${bar.id} | ${bar.what} | ${bar.bar} | ${bar.result} | ${bar.met ? 'yes' : 'no'} | ${bar.series.map(inWords).join('<br>')} | ${(bar.growth ?? []).map(growthInWords).join('<br>')} | ${bar.day}${bar.machine === machine ? '' : ` on ${bar.machine}`} | \`${bar.command}\` |`,
  );
  const notes = bars.flatMap((bar) => (bar.notes ?? []).map((note) => `- ${bar.id}: ${note}`));
  return [
    '# Benchmarks',
    '',
    `Each figure stands beside its floor from the same run on the same machine; absolute times are context. Machine: ${machine}. Medians with quartiles over n runs. \`make bench\` measures all of it, \`make bench BARS=p4,p7\` some.`,
    '',
    '| bar | what | wanted | measured | met | series | growth | day | command |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
    ...(notes.length > 0 ? ['', '## Notes', '', ...notes] : []),
    '',
  ].join('\n');
}
