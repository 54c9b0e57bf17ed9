import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

export interface TestSummary {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** Thrown outside of any test, among them files that could not be loaded. */
  readonly errors: readonly string[];
}

const nameOf = (test: TestCase): string => `${test.module.relativeModuleId}: ${test.fullName}`;

type Uncaught = Parameters<NonNullable<Reporter['onTestRunEnd']>>[1][number];

const firstLine = (error: { message?: string } | undefined): string =>
  error?.message?.split('\n', 1)[0] ?? 'no message';

/** With all that is known of where it came from: of a run elsewhere nothing else may be left. */
function uncaught(error: Uncaught): string {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s*at /.test(line));
  const [file, test] = [error.VITEST_TEST_PATH ?? 'no file', error.VITEST_TEST_NAME ?? 'no test'];
  return [`${firstLine(error)} (while ${file}: ${test} ran)`, ...frames].join('\n');
}

/** Leaves the numbers of a run as a file for scripts/test.ts, the reasons of skipped tests among them. */
export default class TestReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly Uncaught[]): void {
    const file = process.env.HANGAR_TEST_SUMMARY;
    if (file === undefined) return;
    let passed = 0;
    const failed: string[] = [];
    const skipped: { name: string; reason: string }[] = [];
    const errors = unhandled.map(uncaught);
    for (const module of modules) {
      errors.push(...module.errors().map(({ message }) => `${module.relativeModuleId}: ${message}`));
      for (const suite of module.children.allSuites()) {
        errors.push(
          ...suite.errors().map(({ message }) => `${module.relativeModuleId}: ${suite.fullName}: ${message}`),
        );
      }
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passed += 1;
        else if (result.state === 'skipped')
          skipped.push({ name: nameOf(test), reason: result.note ?? 'No reason given' });
        else failed.push(`${nameOf(test)}: ${firstLine(result.errors?.[0])}`);
      }
    }
    const summary: TestSummary = { passed, failed, skipped, errors };
    writeFileSync(file, JSON.stringify(summary));
  }
}
