// A server process of the crash tests: opens a data directory, says so on standard output, lives until it is told to
// stop or is killed.

import { HangarError } from '@hangar/contract';
import { pino } from 'pino';
import { openDatabase } from '../database.ts';

const [dataDir = ''] = process.argv.slice(2);
const say = (message: Record<string, unknown>): void => void process.stdout.write(`${JSON.stringify(message)}\n`);

try {
  const database = await openDatabase({ dataDir, log: pino({ level: 'warn' }, pino.destination(2)) });
  const { rows } = await database.pool.query('select pg_postmaster_start_time()::text as started');
  const alive = setInterval(() => undefined, 1_000);
  process.on('SIGINT', () => {
    clearInterval(alive);
    void database.close().then(() => say({ closed: true }));
  });
  // Last: who reads it may tell it to stop in the same moment.
  say({ open: true, started: rows[0]?.started });
} catch (error) {
  say({ open: false, code: error instanceof HangarError ? error.code : String(error), message: String(error) });
}
