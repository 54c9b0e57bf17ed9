import { expect, it } from 'vitest';
import { createEscapeKeys } from './escape-keys.ts';

/** What goes through of pieces as they are typed, with what is asked of the command line in brackets. */
function typed(...pieces: string[]): string {
  const keys = createEscapeKeys();
  return pieces
    .map((piece) => keys(Buffer.from(piece)))
    .map(({ bytes, wants }) => Buffer.from(bytes).toString() + (wants === null ? '' : `[${wants}]`))
    .join('');
}

it('a tilde at the begin of a line is for the command line, elsewhere it is a tilde', () => {
  expect(typed('~.')).toBe('[leave]');
  expect(typed('~', '.')).toBe('[leave]');
  expect(typed('ls\r', '~', '.')).toBe('ls\r[leave]');
  expect(typed('ls\n~?', 'x')).toBe('ls\n[help]x');
  expect(typed('~?', '~.')).toBe('[help][leave]');
  expect(typed('cd ~.', '\r')).toBe('cd ~.\r');
  expect(typed('~~.')).toBe('~.');
  expect(typed('~', 'x~.')).toBe('~x~.');
  expect(typed('~\r~.')).toBe('~\r[leave]');
  expect(typed('\r', '\x1b[A', '~.')).toBe('\r\x1b[A~.');
});
