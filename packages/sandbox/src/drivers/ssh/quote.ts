import { HangarError } from '@hangar/contract';

/** For sh itself, and only there: fish and csh read backslashes and line ends between quotes in their own way. */
export const quoteForSh = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * One word that every login shell takes as it is: sh, dash, bash, busybox, ksh, zsh, fish, csh and tcsh. What any of them reads inside of
 * single quotes is left out of it and written as an escape of `printf %b`, so it has to be read through that.
 */
export const quoteForLogin = (text: string): string => `'${escapeForPrintf(text)}'`;

/** ASCII in one line, from which `printf %b` makes the bytes of the text again. */
export function escapeForPrintf(text: string): string {
  // A quote ends a word everywhere, fish reads \\ and \', csh reads ! and no line ends.
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[^ -~]|['\\!]/g, (byte) => `\\0${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/**
 * Words are text: bytes that are no UTF-8 cannot be arguments, and half a surrogate pair becomes U+FFFD.
 * @throws HangarError validation_failed for what no program on a Unix can be started with
 */
export function checkWords(argv: readonly string[]): void {
  if (argv.some((word) => word.includes('\0'))) {
    throw new HangarError('validation_failed', { message: 'An argument of the command has a NUL byte in it.' });
  }
  if (argv[0] === undefined || argv[0] === '' || argv[0].startsWith('-')) {
    throw new HangarError('validation_failed', { message: 'The command has no program that could be started.' });
  }
}
