import { expect, it } from 'vitest';
import { runChaos, table } from '../../bench/chaos/run.ts';

/** The short form of `node bench/chaos/main.ts`. The seed stays, so that a failure can be run again; it kills each kind at least once. */
const SEED = 281;

it('kill -9 of server, workers, database and launcher children at 20 random moments loses and repeats nothing', async () => {
  const said = [`seed ${SEED}`];
  const result = await runChaos({ seed: SEED, kills: 20, jobs: 8, drivers: ['local'], say: (line) => said.push(line) });
  console.log([...said, table(result)].join('\n'));
  const wrong = result.checks.flatMap(({ name, wrong }) => wrong.map((line) => `${name}: ${line}`));
  expect(wrong).toEqual([]);
}, 240_000);
