import { constants } from 'node:os';
import type { Execution } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { plural } from '@hangar/contract/words/number';
import { formatBytes } from '@hangar/contract/words/size';
import { INTERRUPTED_EXIT_CODE } from '../../terminal/failure.ts';
import { asSentence, failed } from '../wait.ts';

/** As timeout(1) ends. */
const TIMED_OUT_EXIT_CODE = 124;

export interface Exit {
  readonly code: number;
  /** What a person must know beside it. */
  readonly says: string | null;
}

/**
 * With what the command line ends when an execution has ended: as the command did.
 * @param taken how many bytes of each stream have come
 * @throws HangarError where the command was not run to its end, and output_truncated where not all it printed is there
 */
export function exitOf(execution: Execution, taken: (stream: 'stdout' | 'stderr') => number): Exit {
  const { state, failure, exitCode, signal, reason, sandbox, output, leftover } = execution;
  const code = exitCode ?? (signal === null ? null : 128 + (signals[signal] ?? 0));
  if (failure !== null && code === null) throw failed(failure, sandbox);
  if (state === 'cancelled') return { code: INTERRUPTED_EXIT_CODE, says: leftWords('It was cancelled', leftover) };
  if (state === 'timed_out') return { code: TIMED_OUT_EXIT_CODE, says: leftWords('Its time was over', leftover) };
  if (code === null || (state !== 'succeeded' && state !== 'failed'))
    throw new HangarError('internal', { message: `How the command ended is not known: ${asSentence(reason)}` });
  const missing = (['stdout', 'stderr'] as const).filter((stream) => taken(stream) < output[stream]);
  if (output.truncated || missing.length > 0) {
    const came = (['stdout', 'stderr'] as const).map((stream) => `${formatBytes(taken(stream))} of ${stream}`);
    throw new HangarError('output_truncated', {
      message: `The command printed more than is kept: ${came.join(' and ')} came. It ended with exit code ${code}.`,
      details: { exitCode: code, execution: execution.id },
    });
  }
  return { code, says: failure?.message ?? (leftover === 0 ? null : leftWords('It has ended', leftover)) };
}

const signals: Readonly<Record<string, number>> = constants.signals;

const leftWords = (what: string, leftover: number): string =>
  leftover === 0 ? `${what}.` : `${what}; ${plural(leftover, 'process', 'processes')} could not be ended.`;
