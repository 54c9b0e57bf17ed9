import type { Execution, Sandbox } from '../sandboxes.ts';
import { type ExecutionState, isClosed, isEnded, type SandboxState } from '../state-words.ts';
import type { StateWords } from './tone.ts';

export const SANDBOX_WORDS = {
  queued: { tone: 'waiting', word: 'waiting' },
  starting: { tone: 'working', word: 'starting' },
  running: { tone: 'good', word: 'running' },
  paused: { tone: 'ended', word: 'paused' },
  closing: { tone: 'working', word: 'closing' },
  closed: { tone: 'ended', word: 'closed' },
  failed: { tone: 'bad', word: 'failed' },
  lost: { tone: 'bad', word: 'lost' },
} as const satisfies Record<SandboxState, StateWords>;

export const EXECUTION_WORDS = {
  queued: { tone: 'waiting', word: 'waiting' },
  running: { tone: 'working', word: 'running' },
  succeeded: { tone: 'good', word: 'succeeded' },
  failed: { tone: 'bad', word: 'failed' },
  cancelled: { tone: 'ended', word: 'cancelled' },
  timed_out: { tone: 'bad', word: 'timed out' },
  lost: { tone: 'bad', word: 'lost' },
} as const satisfies Record<ExecutionState, StateWords>;

export const SESSION_WORDS = {
  none: { tone: 'idle', word: 'no connection yet' },
  connected: { tone: 'good', word: 'connected' },
  reconnecting: { tone: 'working', word: 'reconnecting' },
  disconnected: { tone: 'ended', word: 'disconnected' },
  error: { tone: 'bad', word: 'error' },
} as const satisfies Record<Sandbox['session']['state'], StateWords>;

/** What a sandbox is doing. One that was asked to close says so until it has. */
export const sandboxWords = (sandbox: Pick<Sandbox, 'state' | 'closeRequestedAt'>): StateWords =>
  sandbox.closeRequestedAt !== null && !isClosed(sandbox.state) ? SANDBOX_WORDS.closing : SANDBOX_WORDS[sandbox.state];

/** What an execution is doing. One that was asked to stop says so until it has. */
export const executionWords = (execution: Pick<Execution, 'state' | 'cancelRequestedAt'>): StateWords =>
  execution.cancelRequestedAt !== null && !isEnded(execution.state)
    ? { tone: 'working', word: 'cancelling' }
    : EXECUTION_WORDS[execution.state];

/** What to do about one that closes soon; nothing puts off the end of its time. */
export const SOON_WAY_OUT = {
  idle: 'Do something in it, and it stays: hangar sandbox resume ID',
  lifetime: 'Take what is to stay: hangar cp ID:PATH . The next one may live longer: hangar sandbox open --lifetime 3d',
} as const satisfies Record<NonNullable<Sandbox['closesSoon']>, string>;
