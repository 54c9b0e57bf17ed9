// P13: `hangar --version`, `hangar status ID` and `hangar jobs`, beside `node -e 0` of the same Node.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { HANGAR, makeRepo, ServerProcess } from '../tests/e2e/server-process.ts';
import { jobClient } from './job-client.ts';
import { median, record, timed } from './measure.ts';

const ROUNDS = 25;
const server = await (await ServerProcess.make()).start();
try {
  await server.signIn();
  const client = await jobClient(server);
  const repo = await makeRepo(join(server.dir, 'repo'));
  const job = await client.runToEnd(await client.fromCheckout(repo, '# Trivial\n\n```sh\necho hello\n```\n'));
  const env = { PATH: process.env.PATH?.replace(/[^:]*node_modules\/\.bin:?/g, ''), ...server.cliEnv() };
  const run = (program: string, ...args: string[]) =>
    void execFileSync(program, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const commands = {
    'node -e 0': () => run('node', '-e', '0'),
    '--version': () => run(HANGAR, '--version'),
    'status ID': () => run(HANGAR, 'status', job.id),
    jobs: () => run(HANGAR, 'jobs'),
  };
  const series = Object.entries(commands).map(([label, command]) => ({ label, command, ms: [] as number[] }));
  for (let round = -2; round < ROUNDS; round++)
    for (const { command, ms } of series) {
      const took = await timed(async () => command());
      if (round >= 0) ms.push(took);
    }
  const [floor, ...subjects] = series.map(({ ms }) => median(ms));
  const ratios = subjects.map((ms) => ms / (floor ?? Number.NaN));
  const [version = Number.NaN, status = Number.NaN, jobs = Number.NaN] = ratios;
  record({
    id: 'P13',
    what: '`hangar --version`, `hangar status ID` and `hangar jobs`, the last two with their request to the server',
    bar: '≤ 1.5 × node -e 0',
    met: ratios.every((ratio) => ratio <= 1.5),
    result: `--version ${version.toFixed(2)} ×, status ${status.toFixed(2)} ×, jobs ${jobs.toFixed(2)} ×`,
    series: series.map(({ label, ms }) => ({ label, ms })),
    command: 'node bench/p13-command.bench.ts',
  });
} finally {
  await server.remove();
}
