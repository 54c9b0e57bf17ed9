import type { Failure, Finish } from '@hangar/contract';
import { HangarError } from '@hangar/contract';
import type { Ended } from './process/processes.ts';
import type { Stop } from './process/stopper.ts';

/** How a run ended, apart from what it left. */
export interface Result {
  readonly outcome: Finish['outcome'];
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly failure: Failure | null;
  readonly reason: string;
}

const STOPPED = { job_cancelled: 'cancelled', job_timeout: 'timed_out', work_folder_gone: 'failed' } as const;

export function stoppedBy({ code, reason }: Stop, ended: Ended | null): Result {
  return {
    outcome: STOPPED[code],
    exitCode: ended?.exitCode ?? null,
    signal: ended?.signal ?? null,
    failure: failureOf(new HangarError(code, { message: reason }), 'internal'),
    reason,
  };
}

/** Signals that by default do not end a process; an exit code of 128 and one of these is a number of the program's own. */
const HARMLESS = new Set([17, 18, 23, 28]);

/**
 * @param saw memoryLimit: a process was killed for memory, at this limit (null: unknown); refused: the agent said that the
 * model did not accept its key
 */
export function agentFailed(ended: Ended, saw: { memoryLimit?: number | null; refused: boolean }): Result {
  const { memoryLimit, refused } = saw;
  const { exitCode, signal } = ended;
  const how =
    signal !== null
      ? `The agent was ended by ${signal} (exit code ${exitCode}).`
      : exitCode > 128 && exitCode < 160 && !HARMLESS.has(exitCode - 128)
        ? `The agent ended with exit code ${exitCode}: a process of it was killed by signal ${exitCode - 128}.`
        : `The agent ended with exit code ${exitCode}.`;
  const error =
    memoryLimit !== undefined
      ? new HangarError('out_of_memory', {
          message: `${how} The job ran out of memory${memoryLimit === null ? '' : ` at ${Math.round(memoryLimit / 2 ** 20)} MiB`}.`,
        })
      : refused
        ? new HangarError('agent_auth_failed', { message: `The model did not accept the agent's key. ${how}` })
        : exitCode === 127
          ? new HangarError('agent_missing', { message: `${how} A command was not found.` })
          : new HangarError('agent_failed', { message: how });
  return { outcome: 'failed', exitCode, signal, failure: failureOf(error, 'agent_failed'), reason: error.message };
}

export function failureOf(error: unknown, otherwise: 'internal' | 'collect_failed' | 'agent_failed'): Failure {
  const full =
    error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
      ? new HangarError('disk_full')
      : error instanceof HangarError
        ? error
        : new HangarError(otherwise, {
            message: error instanceof Error ? `The worker failed: ${error.message}` : 'The worker failed.',
            wayOut: 'Read the end of the log: hangar logs ID --tail 50',
          });
  return { code: full.code, message: full.message, wayOut: full.wayOut };
}
