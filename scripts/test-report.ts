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

/** Leaves the numbers of a run as a file for scripts/test.ts, the reasons of skipped tests among them. */
export default class TestReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly { message?: string }[]): void {
    const file = process.env.HANGAR_TEST_SUMMARY;
    if (file === undefined) return;
    let passed = 0;
    const failed: string[] = [];
    const skipped: { name: string; reason: string }[] = [];
    const errors = unhandled.map(({ message }) => message ?? 'no message');
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
        else failed.push(nameOf(test));
      }
    }
    const summary: TestSummary = { passed, failed, skipped, errors };
    writeFileSync(file, JSON.stringify(summary));
  }
}
