import { availableParallelism } from 'node:os';
import { generatedFiles } from './generate.ts';
import { houseRules } from './house-rules.ts';
import { migrationDrift } from './migration-drift.ts';
import { run } from './run.ts';

export interface CheckResult {
  readonly name: string;
  readonly passed: boolean;
  /** What is wrong, or notes of a check that passed. */
  readonly output: string;
  readonly elapsedMs: number;
}

type Check = () => Promise<{ passed: boolean; output: string }>;

const program =
  (name: string, ...args: string[]): Check =>
  async () => {
    const ran = await run(name, args, { timeoutMs: 120_000 });
    return { passed: ran.exitCode === 0, output: ran.exitCode === 0 ? '' : ran.output };
  };

/** Slowest first, so that the short ones fill the gaps. */
const CHECKS: Readonly<Record<string, Check>> = {
  'migrations fit the tables': migrationDrift,
  'types of the web UI': program('tsc', '-p', 'apps/web/tsconfig.json', '--noEmit'),
  types: program('tsc', '-p', 'tsconfig.json', '--noEmit'),
  'dead code': program('knip', '--no-progress'),
  'generated files': generatedFiles,
  'import rules': program('depcruise', '--config', 'import-rules.cjs', 'packages', 'apps'),
  lint: program('biome', 'check', '--error-on-warnings', '--diagnostic-level=warn', '--max-diagnostics=50', '.'),
  'house rules': houseRules,
};

/** Runs all checks, as many at a time as there are cores, and tells each as it ends. */
export async function runChecks(tell: (result: CheckResult) => void): Promise<CheckResult[]> {
  const waiting = Object.entries(CHECKS);
  const results: CheckResult[] = [];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [name, check] = next;
      const began = performance.now();
      const ended = await check().catch((error: unknown) => ({ passed: false, output: String(error) }));
      const result = {
        name,
        ...ended,
        elapsedMs: performance.now() - began,
      };
      results.push(result);
      tell(result);
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, lane));
  return results;
}

export function tellCheck({ name, passed, output, elapsedMs }: CheckResult): void {
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name} (${(elapsedMs / 1000).toFixed(1)} s)`);
  if (output.trim() !== '') console.log(`\n${output.trim()}\n`);
}

if (import.meta.main) {
  const began = performance.now();
  const results = await runChecks(tellCheck);
  const failed = results.filter(({ passed }) => !passed);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(
    `\n${results.length} checks in ${seconds} s: ${failed.length === 0 ? 'all hold' : `${failed.length} do not hold`}`,
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
}
