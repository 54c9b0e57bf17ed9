import { ERRORS, type ErrorCode, type ExecutionStateName, type Failure, isEnded } from '@hangar/contract';
import { announcing } from '../../../platform/live/announce.ts';
import type { Noun } from '../../../platform/reconcile/reconciled.ts';
import { type Ending, type ExecutionRow, executions } from '../store/sandboxes-tables.ts';

/** As live frames and reconcilers call it. */
export const EXECUTION = 'execution';

export type SeenOfExecution = Partial<
  Pick<
    ExecutionRow,
    | 'cancelRequestedAt'
    | 'cancelGraceMs'
    | 'startedAt'
    | 'awaySince'
    | 'awayWhy'
    | 'ending'
    | 'stdoutBytes'
    | 'stderrBytes'
    | 'truncated'
    | 'toldAt'
    | 'cleanedAt'
  >
>;

export type ExecutionAction =
  | { readonly kind: 'none' }
  /** Starts it, unless it was, and takes down what it prints until it ends. */
  | { readonly kind: 'follow' }
  | { readonly kind: 'tell' }
  | { readonly kind: 'clean' };

export interface ExecutionDecision {
  readonly state: ExecutionStateName;
  readonly reason: string;
  readonly failure: Failure | null;
  readonly action: ExecutionAction;
  readonly wakeMs: number | null;
}

type Facts = Pick<
  ExecutionRow,
  'state' | 'reason' | 'failure' | 'ending' | 'startedAt' | 'cancelRequestedAt' | 'awayWhy' | 'toldAt' | 'cleanedAt'
>;

/** What becomes of an execution. Pure. */
export function decideExecution(row: Facts): ExecutionDecision {
  if (row.ending !== null) {
    const ended = isEnded(row.state) ? row : endedBy(row.ending);
    const kind = row.toldAt === null ? 'tell' : row.cleanedAt === null ? 'clean' : 'none';
    const { state, reason, failure } = ended;
    return { state, reason, failure, action: { kind }, wakeMs: kind === 'none' ? null : 0 };
  }
  const state = row.startedAt === null ? 'queued' : 'running';
  const reason = reasonOf(row);
  return { state, reason, failure: null, action: { kind: 'follow' }, wakeMs: 0 };
}

function reasonOf({ startedAt, cancelRequestedAt, awayWhy }: Facts): string {
  if (awayWhy !== null) return `${startedAt === null ? 'Waiting for the machine' : 'Reconnecting'}: ${awayWhy}`;
  if (cancelRequestedAt !== null) return 'Ending all its processes';
  return startedAt === null ? 'Waiting for the machine' : 'It runs';
}

function endedBy(ending: Ending): Pick<ExecutionDecision, 'state' | 'reason' | 'failure'> {
  const failure = (code: ErrorCode, message: string): Failure => ({ code, message, wayOut: ERRORS[code].wayOut });
  const left = ending.leftover === 0 ? '' : ` ${ending.leftover} of its processes could not be ended.`;
  switch (ending.reason) {
    case 'exited':
      return ending.exitCode === 0
        ? { state: 'succeeded', reason: 'Done', failure: null }
        : { state: 'failed', reason: `It ended with exit code ${ending.exitCode}`, failure: null };
    case 'signaled':
      return { state: 'failed', reason: `It was ended by ${ending.signal ?? 'a signal'}`, failure: null };
    case 'cancelled':
      return { state: 'cancelled', reason: `${ending.message ?? 'Cancelled.'}${left}`, failure: null };
    case 'timeout':
      return { state: 'timed_out', reason: `Its time was over.${left}`, failure: null };
    case 'out_of_memory':
      return {
        state: 'failed',
        reason: 'It ran out of memory',
        failure: failure('out_of_memory', 'It ran out of memory.'),
      };
    case 'not_started': {
      const message = ending.message ?? 'It could not be started.';
      return { state: 'failed', reason: message, failure: failure('execution_not_started', message) };
    }
    case 'lost': {
      const code = ending.code ?? 'sandbox_gone';
      const message = ending.message ?? ERRORS[code].message;
      return { state: 'lost', reason: message, failure: failure(code, message) };
    }
  }
}

export const executionNoun: Noun<typeof executions, SeenOfExecution, ExecutionDecision> = {
  table: executions,
  missing: 'execution_not_found',
  decide: decideExecution,
  settle({ before, decision: { state, reason, failure }, now }) {
    if (state === before.state) return reason === before.reason ? {} : { reason };
    return { state, reason, stateSince: now, ...(isEnded(state) ? { finishedAt: now, failure } : {}) };
  },
  async announce(_tx, { before, row, seen }) {
    const isNews = row.state !== before.state || row.reason !== before.reason || seen.cancelRequestedAt !== undefined;
    return isNews ? [executionChanged(row)] : [];
  },
};

export const executionChanged = ({ id, userId }: Pick<ExecutionRow, 'id' | 'userId'>) =>
  announcing({ noun: EXECUTION, id, audience: userId });
