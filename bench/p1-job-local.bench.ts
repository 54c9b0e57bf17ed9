// P1: a trivial shell job on the local driver, from submit to its end, beside the same clone, command and diff as a script.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRepo, ServerProcess } from '../tests/e2e/server-process.ts';
import { jobClient } from './job-client.ts';
import { interleave, median, record } from './measure.ts';

const server = await (await ServerProcess.make()).start();
try {
  const client = await jobClient(server);
  const repo = await makeRepo(join(server.dir, 'repo'));
  const request = await client.fromCheckout(repo, '# Trivial\n\n```sh\necho hello > hello.txt\n```\n');

  const script = join(server.dir, 'floor.sh');
  writeFileSync(
    script,
    'set -e\ngit clone -q "$1" "$2"\ncd "$2"\nsh -c "echo hello > hello.txt"\ngit add -A\ngit diff --cached --binary --full-index > "$2.diff"\n',
  );
  const floor = async () => {
    const dir = mkdtempSync(join(tmpdir(), 'hangar-floor-'));
    execFileSync('sh', [script, repo, join(dir, 'clone')]);
    rmSync(dir, { recursive: true });
  };
  const { floor: floorMs, subject } = await interleave(15, floor, async () => {
    const job = await client.runToEnd(request);
    if (job.state !== 'succeeded') throw new Error(`the job ended ${job.state}: ${job.reason}`);
  });
  const over = median(subject) - median(floorMs);
  record({
    id: 'P1',
    what: 'job on local: submit to finished',
    bar: '≤ script + 400 ms',
    met: over <= 400,
    result: `script + ${over.toFixed(0)} ms`,
    series: [
      { label: 'script', ms: floorMs },
      { label: 'job', ms: subject },
    ],
    command: 'node bench/p1-job-local.bench.ts',
  });
} finally {
  await server.remove();
}
