// The crash program: kill -9 of server, workers, database and launcher children at random moments while jobs are in flight; and of what
// stands between the server and the commands of sandboxes while they execute.
// node bench/chaos/main.ts --kills 200 --jobs 20 --seed 1 --driver local|docker|both
// node bench/chaos/main.ts --kills 100 --sandboxes 10 --seed 1 [--driver local|docker|ssh|all]
import { parseArgs } from 'node:util';
import { runChaos, table } from './run.ts';
import { runSandboxChaos } from './sandboxes/run.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    jobs: { type: 'string' },
    sandboxes: { type: 'string' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    driver: { type: 'string' },
  },
});
if (values.jobs !== undefined && values.sandboxes !== undefined) throw new Error('--jobs or --sandboxes, not both');
const ofJobs = values.sandboxes === undefined;
const DRIVERS = ofJobs
  ? ({ local: ['local'], docker: ['docker'], both: ['local', 'docker'] } as const)
  : ({ local: ['local'], docker: ['docker'], ssh: ['ssh'], all: ['local', 'docker', 'ssh'] } as const);
const { driver = ofJobs ? 'local' : 'all', kills, seed, jobs = '20', sandboxes } = values;
const drivers = Object.entries<readonly ('local' | 'docker' | 'ssh')[]>(DRIVERS).find(([name]) => name === driver)?.[1];
if (drivers === undefined) throw new Error(`--driver is ${Object.keys(DRIVERS).join(', ')}`);

const say = (line: string) => console.log(line);
const fleet = ofJobs ? `--jobs ${jobs}` : `--sandboxes ${sandboxes}`;
say(`seed ${seed}: node bench/chaos/main.ts --kills ${kills} ${fleet} --seed ${seed} --driver ${driver}`);
const common = { seed: Number(seed), kills: Number(kills), say };
const result = ofJobs
  ? await runChaos({ ...common, jobs: Number(jobs), drivers: drivers.filter((each) => each !== 'ssh') })
  : await runSandboxChaos({ ...common, sandboxes: Number(sandboxes), drivers });
say(`\nseed ${seed}\n${table(result)}`);
process.exit(result.holds ? 0 : 1);
