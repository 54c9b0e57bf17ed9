// The tests that need a Kubernetes cluster, in one of their own: built, started and ended here. With KUBECONFIG set, in that one.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { installObjectStore } from '../apps/server/src/adapters/blob-s3/testing/index.ts';
import { installDebianPackages } from './debian-packages.ts';
import { ROOT, run } from './run.ts';
import type { TestSummary } from './test-report.ts';

/** The first build of Kubernetes on a machine compiles for minutes. */
const BUILD_MS = 30 * 60_000;
const UP_MS = 5 * 60_000;
const TESTS_MS = 40 * 60_000;
const SUMMARY = path.join(ROOT, '.hangar/test/kubernetes.json');
const TOOLS = process.env.HANGAR_KUBE_TOOLS ?? path.resolve(ROOT, '../shared/kube');
const WHERE = [
  ...['tests/kubernetes', 'packages/sandbox/src/drivers/kubernetes'],
  ...['apps/server/src/adapters/kubernetes', 'apps/server/src/features/kubernetes'],
];

/** KUBECONFIG of the cluster to use, and what ends it; or why there is none. */
async function cluster(): Promise<{ kubeconfig: string; end: () => Promise<void> } | { skipped: string }> {
  const given = process.env.KUBECONFIG;
  if (given) return { kubeconfig: given, end: async () => {} };
  if (!existsSync(path.join(TOOLS, 'up.sh'))) {
    return { skipped: `no KUBECONFIG, and no scripts that make a cluster at ${TOOLS} (HANGAR_KUBE_TOOLS)` };
  }
  if (process.getuid?.() !== 0) return { skipped: 'no KUBECONFIG, and only root can make a cluster' };
  if ((await run('go', ['version'], { timeoutMs: 30_000 })).exitCode !== 0) {
    return { skipped: 'no KUBECONFIG, and Go is needed to build a cluster' };
  }
  const built = await run(path.join(TOOLS, 'build.sh'), [], { timeoutMs: BUILD_MS, show: true });
  if (built.exitCode !== 0) throw new Error(`building the cluster ended with ${built.exitCode}`);
  const up = await run(path.join(TOOLS, 'up.sh'), [], { timeoutMs: UP_MS });
  const kubeconfig = up.output.split('\n').findLast((line) => line.startsWith('/'));
  if (up.exitCode !== 0 || kubeconfig === undefined) throw new Error(`the cluster did not start:\n${up.output}`);
  const end = async () => void (await run(path.join(TOOLS, 'down.sh'), [], { timeoutMs: UP_MS }));
  return { kubeconfig, end };
}

const found = await cluster();
if ('skipped' in found) {
  console.log(`Skipped: ${found.skipped}\n\n0 passed, 0 failed, 1 skipped`);
} else {
  try {
    await installDebianPackages((line) => console.log(line));
    await installObjectStore();
    await mkdir(path.dirname(SUMMARY), { recursive: true });
    await rm(SUMMARY, { force: true });
    // One file at a time: some of them kill the API server, or start the node again.
    const reporters = ['--reporter=default', '--reporter=./scripts/test-report.ts', '--no-file-parallelism'];
    const ran = await run('vitest', ['run', ...reporters, ...WHERE], {
      ...{ timeoutMs: TESTS_MS, show: true },
      env: { HANGAR_TEST_SUMMARY: SUMMARY, KUBECONFIG: found.kubeconfig, HANGAR_KUBE_TOOLS: TOOLS },
    });
    const tests: TestSummary | null = await readFile(SUMMARY, 'utf8').then(JSON.parse, () => null);
    const failures = [
      ...(tests?.failed ?? []),
      ...(tests?.errors ?? []).map((error) => `outside of any test: ${error}`),
    ];
    if (tests === null) failures.push(`the test runner ended with ${ran.exitCode ?? 'a signal'} and left no result`);
    else if (ran.exitCode !== 0 && failures.length === 0) failures.push(`the test runner ended with ${ran.exitCode}`);
    for (const { name, reason } of tests?.skipped ?? []) console.log(`Skipped: ${reason}: ${name}`);
    for (const failure of failures) console.log(`Failed: ${failure}`);
    console.log(`\n${tests?.passed ?? 0} passed, ${failures.length} failed, ${tests?.skipped.length ?? 0} skipped`);
    process.exitCode = failures.length === 0 ? 0 : 1;
  } finally {
    await found.end();
  }
}
