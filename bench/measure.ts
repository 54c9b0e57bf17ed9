import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../tests/e2e/server-process.ts';

export interface Series {
  readonly label: string;
  /** Milliseconds, one a run. */
  readonly ms: readonly number[];
}

export interface Bar {
  readonly id: string;
  readonly what: string;
  readonly bar: string;
  readonly met: boolean;
  readonly result: string;
  readonly series: readonly Series[];
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

/** Adds a bar to today's results and to the table of docs/benchmarks.md. */
export function record(bar: Bar): void {
  const dir = join(ROOT, 'bench/results');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${new Date().toISOString().slice(0, 10)}.json`);
  let bars: Bar[] = [];
  try {
    bars = (JSON.parse(readFileSync(file, 'utf8')) as { bars: Bar[] }).bars;
  } catch {
    // The first bar of the day.
  }
  bars = [...bars.filter(({ id }) => id !== bar.id), bar].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 1024 ** 3)} GiB, Node ${process.versions.node}`;
  writeFileSync(file, `${JSON.stringify({ machine, bars }, null, 2)}\n`);
  writeFileSync(join(ROOT, 'docs/benchmarks.md'), table(machine, bars));
  console.log(`${bar.id} ${bar.what}: ${bar.result} (bar: ${bar.bar}) ${bar.met ? 'met' : 'MISSED'}`);
  for (const { label, ms } of bar.series)
    console.log(
      `   ${label}: median ${median(ms).toFixed(0)} ms, ${Math.min(...ms).toFixed(0)} to ${Math.max(...ms).toFixed(0)} ms over ${ms.length} runs`,
    );
}

function table(machine: string, bars: readonly Bar[]): string {
  const spread = ({ label, ms }: Series) =>
    `${label}: ${median(ms).toFixed(0)} ms (${quantile(ms, 0.25).toFixed(0)}–${quantile(ms, 0.75).toFixed(0)}, n=${ms.length})`;
  const rows = bars.map(
    (bar) =>
      `| ${bar.id} | ${bar.what} | ${bar.bar} | ${bar.result} | ${bar.met ? 'yes' : 'no'} | ${bar.series.map(spread).join('<br>')} | \`${bar.command}\` |`,
  );
  return [
    '# Benchmarks',
    '',
    `Each figure stands beside its floor from the same run on the same machine; absolute times are context. Machine: ${machine}. Medians with quartiles.`,
    '',
    '| bar | what | wanted | measured | met | series | command |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
