import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { installObjectStore } from '../apps/server/src/adapters/blob-s3/testing/index.ts';
import { runChecks, tellCheck } from './check.ts';
import { installDebianPackages } from './debian-packages.ts';
import { ROOT, run } from './run.ts';
import type { TestSummary } from './test-report.ts';

/** Longer than all tests ever take: a run that hangs ends, and counts as failed. */
const TESTS_END_MS = 90 * 60_000;
const SUMMARY = path.join(ROOT, '.hangar/test/summary.json');

function heading(text: string): void {
  console.log(`\n== ${text}\n`);
}

heading('Debian packages the tests use');
const missing = await installDebianPackages((line) => console.log(line));

heading('The object store the tests use');
console.log((await installObjectStore()) ?? 'There.');

heading('Checks');
const checks = await runChecks(tellCheck);

heading('Tests');
await mkdir(path.dirname(SUMMARY), { recursive: true });
await rm(SUMMARY, { force: true });
const ran = await run('vitest', ['run', '--reporter=default', '--reporter=./scripts/test-report.ts'], {
  timeoutMs: TESTS_END_MS,
  show: true,
  env: { HANGAR_TEST_SUMMARY: SUMMARY },
});
const tests: TestSummary | null = await readFile(SUMMARY, 'utf8').then(JSON.parse, () => null);

const failures = [
  ...checks.filter(({ passed }) => !passed).map(({ name }) => `check: ${name}`),
  ...(tests?.failed ?? []),
  ...(tests?.errors ?? []).map((error) => `outside of any test: ${error}`),
];
if (tests === null) failures.push(`the test runner ended with ${ran.exitCode ?? 'a signal'} and left no result`);
else if (tests.passed === 0) failures.push('no test ran');
else if (ran.exitCode !== 0 && failures.length === 0) failures.push(`the test runner ended with ${ran.exitCode}`);

const skipped = tests?.skipped ?? [];
if (missing.length > 0) heading(`Not on this machine: ${missing.join(', ')}`);
if (skipped.length > 0) {
  heading('Skipped');
  const byReason = Map.groupBy(skipped, ({ reason }) => reason);
  for (const [reason, of] of byReason) {
    console.log(`${reason} (${of.length})`);
    for (const { name } of of) console.log(`  ${name}`);
  }
}
if (failures.length > 0) {
  heading('Failed');
  for (const failure of failures) console.log(failure);
}

const passed = checks.filter((check) => check.passed).length + (tests?.passed ?? 0);
console.log(`\n${passed} passed, ${failures.length} failed, ${skipped.length} skipped`);
process.exitCode = failures.length === 0 ? 0 : 1;
