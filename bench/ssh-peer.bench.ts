// Beside the plain way: the same clone, command and diff by a script over ssh, on the machine that is at hand.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SSHD, startSshServer } from '../packages/worker/src/testing/ssh-server.ts';
import { makeRepo, ServerProcess } from '../tests/e2e/server-process.ts';
import { jobClient } from './job-client.ts';
import { interleave, median, record } from './measure.ts';

if (SSHD === undefined) {
  console.log('ssh skipped: there is no sshd');
} else {
  const server = await (await ServerProcess.make()).start();
  const ssh = await startSshServer(join(server.dir, 'ssh'));
  try {
    const client = await jobClient(server);
    const repo = await makeRepo(join(server.dir, 'repo'));
    const request = await client.fromCheckout(repo, '# Trivial\n\n```sh\necho hello > hello.txt\n```\n');
    const knownHosts = join(server.dir, 'known_hosts');
    writeFileSync(knownHosts, `${ssh.knownHosts}\n`);
    const script =
      'set -e; git clone -q "$1" "$2"; cd "$2"; sh -c "echo hello > hello.txt"; git add -A; git diff --cached --binary --full-index';
    const bySsh = async () => {
      const dir = mkdtempSync(join(tmpdir(), 'hangar-ssh-'));
      const options = [`UserKnownHostsFile=${knownHosts}`, 'IdentitiesOnly=yes', 'BatchMode=yes'];
      const to = ['-p', String(ssh.port), '-i', join(server.dir, 'ssh/user'), `${ssh.user}@127.0.0.1`];
      const command = `sh -s -- '${repo}' '${join(dir, 'clone')}'`;
      const diff = execFileSync('ssh', [...options.flatMap((option) => ['-o', option]), ...to, command], {
        input: script,
      });
      if (!diff.includes('hello.txt')) throw new Error('no diff came back');
      rmSync(dir, { recursive: true });
    };
    const { floor: sshMs, subject: jobMs } = await interleave(15, bySsh, async () => {
      const job = await client.runToEnd(request);
      if (job.state !== 'succeeded') throw new Error(`the job ended ${job.state}: ${job.reason}`);
    });
    const over = median(jobMs) - median(sshMs);
    record({
      id: 'ssh',
      what: 'job on local beside the same by a script over ssh',
      bar: '≤ ssh + 400 ms',
      met: over <= 400,
      result: `ssh ${over < 0 ? '−' : '+'} ${Math.abs(over).toFixed(0)} ms`,
      series: [
        { label: 'script over ssh', ms: sshMs },
        { label: 'job', ms: jobMs },
      ],
      command: 'node bench/ssh-peer.bench.ts',
    });
  } finally {
    await ssh.close();
    await server.remove();
  }
}
