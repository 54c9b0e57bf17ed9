import { HangarError } from '@hangar/contract';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { throughLosses } from './start-again.ts';

const o = { log: pino({ level: 'silent' }), signal: AbortSignal.timeout(10_000) };
const lost = () => new Error('Failed query: select 1', { cause: new Error('Connection terminated unexpectedly') });

it('starts again after the database was lost, and only then', async () => {
  const answers: (() => string)[] = [
    () => {
      throw lost();
    },
    () => {
      throw Object.assign(new Error('the database system is starting up'), { code: '57P03' });
    },
    () => {
      const cause = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
      throw new HangarError('database_unavailable', { message: 'The database could not be migrated.', cause });
    },
    () => 'started',
  ];
  expect(await throughLosses(async () => answers.shift()?.(), o)).toBe('started');
  const inUse = new HangarError('data_dir_in_use');
  let tries = 0;
  const refused = throughLosses(async () => {
    tries += 1;
    throw inUse;
  }, o);
  await expect(refused).rejects.toBe(inUse);
  expect(tries).toBe(1);
});

it('does not when it was told to stop', async () => {
  const stopped = { ...o, signal: AbortSignal.abort() };
  await expect(throughLosses(() => Promise.reject(lost()), stopped)).rejects.toThrow('Failed query');
});
