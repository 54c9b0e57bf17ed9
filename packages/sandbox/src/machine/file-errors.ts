import { HangarError, showPath } from '@hangar/contract';
import type { Answer } from './ask.ts';

/** Tools have no codes for why they failed: in the locale C they say the words of strerror, glibc's or musl's. */
const WORDS = [
  [/No space left on device|quota exceeded/i, 'disk_full'],
  [/No such file or directory/, 'file_not_found'],
  [/Permission denied|Operation not permitted|Read-only file system/, 'file_forbidden'],
  [
    /File exists|Directory not empty|Is a directory|Not a directory|not a directory|cannot overwrite/,
    'path_in_the_way',
  ],
] as const;

export const diskIsFull = (error: string): boolean => WORDS[0][0].test(error);

/** @throws HangarError why a script of files failed */
export function settleFile(answer: Pick<Answer, 'code' | 'error'>, path: string): void {
  if (answer.code === 0) return;
  const shown = showPath(path);
  const [, code] = WORDS.find(([words]) => words.test(answer.error)) ?? [];
  if (code === undefined)
    throw new HangarError('file_failed', { message: `${shown}: ${answer.error || `code ${answer.code}`}` });
  if (code === 'disk_full') throw new HangarError(code, { message: 'The disk of the machine is full.' });
  throw new HangarError(code, { message: `${shown}: ${answer.error || 'it is not there'}` });
}
