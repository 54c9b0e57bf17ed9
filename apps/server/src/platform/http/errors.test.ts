import { pino } from 'pino';
import { expect, it } from 'vitest';
import { asHangarError } from './errors.ts';

const log = pino({ level: 'silent' });
const codeOf = (error: unknown) => asHangarError(error, 'r', log).code;

it('a connection that the database cut is asked again, not refused: the worker keeps what it sends', () => {
  const cut = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
  expect(codeOf(cut)).toBe('database_unavailable');
  expect(codeOf(new Error('Failed query: select 1', { cause: cut }))).toBe('database_unavailable');
});

it('a sender that left in the middle of its body has sent a bad request', () => {
  expect(codeOf(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))).toBe('bad_request');
});

it('a server without a file descriptor left says so, and when to come again; it is no fault of ours', () => {
  const none = Object.assign(new Error('connect EMFILE /run/.s.PGSQL.5432'), { code: 'EMFILE', syscall: 'connect' });
  const said = asHangarError(new Error('Failed query: select 1', { cause: none }), 'r', log);
  expect(said).toMatchObject({ code: 'open_files_exhausted', status: 503, details: { retryAfterSeconds: 1 } });
});
