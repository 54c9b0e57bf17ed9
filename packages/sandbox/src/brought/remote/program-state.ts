import { HangarError } from '@hangar/contract';
import type { UnitState } from '../../port/unit.ts';
import { programInWords } from '../programs.ts';
import { whyUnsuitable } from '../start-script.ts';
import { WHY_ENDED } from './unit-folder.ts';

const LAST_LINES = 20;

/**
 * What the script that looks at a program printed. Hostile: what is no state proves nothing.
 * @throws HangarError launch_failed
 */
export function readProgramState(program: string, text: string): UnitState {
  const [first = '', why = '', ...log] = text.split('\n');
  const [state, code = ''] = first.trim().split(' ');
  const what = programInWords(program);
  const ended = (reason: string) => ({ kind: 'exited', exitCode: null, outOfMemory: false, reason }) as const;
  switch (state) {
    case 'running':
      return { kind: 'running' };
    case 'none':
      return why === ''
        ? { kind: 'starting', reason: `Bringing ${what.toLowerCase()} to the machine` }
        : ended(clean(why));
    case 'exited':
      if (/^\d{1,3}$/.test(code)) return exited(what, Number(code), why, log);
      break;
    case 'restarted':
      return ended('The machine was restarted');
    case 'killed':
      return why === WHY_ENDED.late
        ? { ...ended('It ran for longer than the server lets a worker live'), code: 'job_timeout' }
        : ended(`${what} was killed`);
  }
  throw new HangarError('launch_failed', { message: `The machine says of the unit: ${clean(first)}` });
}

/** The end of what it printed, from the same text. Lines, the newest last. */
export const wordsOf = (text: string): string[] =>
  text
    .split('\n')
    .slice(2)
    .map(clean)
    .filter((line) => line !== '')
    .slice(-LAST_LINES);

function exited(what: string, exitCode: number, why: string, log: readonly string[]): UnitState {
  const state = { kind: 'exited', exitCode, outOfMemory: false } as const;
  if (exitCode === 0) return { ...state, reason: `${what} has ended` };
  const unsuitable = whyUnsuitable(exitCode, 'machine');
  if (unsuitable !== null) return { ...state, reason: unsuitable, code: 'image_unsuitable' };
  if (exitCode === 137 && why === WHY_ENDED.late)
    return { ...state, reason: 'It ran for longer than the server lets a worker live', code: 'job_timeout' };
  if (exitCode === 137)
    return { ...state, reason: `${what} was killed: for memory, at its deadline, or by somebody on the machine` };
  const words = clean(log.findLast((line) => line.trim() !== '') ?? '');
  const detail = words === '' ? '' : `: ${words}`;
  // The loader's words when Node and the C library of the machine do not fit.
  if (/GLIBC(XX)?_|error while loading shared libraries|exec format error/i.test(words))
    return { ...state, reason: `The machine cannot run Node${detail}`, code: 'image_unsuitable' };
  return { ...state, reason: `${what} ended with exit code ${exitCode}${detail}` };
}

const clean = (line: string): string =>
  line
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(0, 300);
