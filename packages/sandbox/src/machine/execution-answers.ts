import { HangarError } from '@hangar/contract';
import type { Answer } from './ask.ts';
import { diskIsFull } from './file-errors.ts';

/** @throws HangarError what the code of a script of executions means */
export function settle<T extends Omit<Answer, 'output'>>(answer: T): T {
  if (answer.code === 0 || answer.code === 30) return answer;
  if (answer.code === 31) throw new HangarError('execution_not_found');
  if (answer.code === 32) throw new HangarError('execution_ended');
  if (answer.code === 33) throw new HangarError('input_missing');
  if (answer.code === 34) throw new HangarError('input_closed');
  if (answer.code === 35)
    throw new HangarError('unsupported', { message: 'The execution has no terminal.', wayOut: 'Start it with one.' });
  if (answer.code === 36) throw new HangarError('execution_running');
  if (diskIsFull(answer.error)) throw new HangarError('disk_full', { message: 'The disk of the machine is full.' });
  throw new HangarError('connection_lost', { message: `The machine did not do it: ${answer.error || answer.code}` });
}
