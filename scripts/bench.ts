// Measures the bars one after the other: `node scripts/bench.ts [p4,p7…]`. A bar that is missed is a result; a benchmark that fails is not.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { installDebianPackages } from './debian-packages.ts';
import { ROOT, run } from './run.ts';

/** The soak comes last, and only when all is measured or it is asked for. */
const SOAK = { name: 'soak', file: 'soak.ts', args: ['--minutes', '10'] };
/** No bar takes so long: what hangs ends, and counts as failed. */
const BAR_ENDS_MS = 20 * 60_000;

const wanted = new Set((process.argv[2] ?? '').toLowerCase().split(',').filter(Boolean));
const files = readdirSync(path.join(ROOT, 'bench'));
const bars = files
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => ({ name: file.split('-')[0] ?? file, file, args: [] as string[] }))
  .sort((a, b) => number(a.name) - number(b.name));
const all = files.includes(SOAK.file) ? [...bars, SOAK] : bars;
const unknown = [...wanted].filter((name) => !all.some((bar) => bar.name === name));
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(', ')}. There are ${all.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}

// A bar whose program is missing says so and is left out.
await installDebianPackages((line) => console.log(line));

const failed: string[] = [];
for (const bar of all) {
  if (wanted.size > 0 && !wanted.has(bar.name)) continue;
  const begun = performance.now();
  console.log(`\n== ${bar.name}\n`);
  const { exitCode } = await run('node', [path.join('bench', bar.file), ...bar.args], {
    timeoutMs: BAR_ENDS_MS,
    show: true,
  });
  console.log(`   ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  if (exitCode !== 0) failed.push(bar.name);
}
console.log(failed.length === 0 ? '\nMeasured: docs/benchmarks.md' : `\nCould not be measured: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function number(name: string): number {
  return Number(/\d+/.exec(name)?.[0] ?? Number.POSITIVE_INFINITY);
}
