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
