// The crash program: kill -9 of server, workers, database and launcher children at random moments while jobs are in flight.
// node bench/chaos/main.ts --kills 200 --jobs 20 --seed 1 --driver local|docker|both
import { parseArgs } from 'node:util';
import { runChaos, table } from './run.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    jobs: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    driver: { type: 'string', default: 'local' },
  },
});
const { driver } = values;
if (driver !== 'local' && driver !== 'docker' && driver !== 'both')
  throw new Error('--driver is local, docker or both');

const say = (line: string) => console.log(line);
say(
  `seed ${values.seed}: node bench/chaos/main.ts --kills ${values.kills} --jobs ${values.jobs} --seed ${values.seed} --driver ${driver}`,
);
const result = await runChaos({
  seed: Number(values.seed),
  kills: Number(values.kills),
  jobs: Number(values.jobs),
  drivers: driver === 'both' ? ['local', 'docker'] : [driver],
  say,
});
say(`\nseed ${values.seed}\n${table(result)}`);
process.exit(result.holds ? 0 : 1);
