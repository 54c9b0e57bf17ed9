import { isClosed, isEnded } from '@hangar/contract';
import { type UnitState, whyUnsuitable } from '@hangar/sandbox';
import type { ExecutionRow, SandboxRow } from '../store/sandboxes-tables.ts';

/** The worker of a job that runs as an execution, as its job knows units. */
export function workerState(row: ExecutionRow, sandbox: SandboxRow | null): UnitState {
  const { state, reason, ending } = row;
  if (!isEnded(state)) {
    if (sandbox?.machine?.kind === 'paused') return { kind: 'paused' };
    return row.startedAt === null ? { kind: 'starting', reason } : { kind: 'running' };
  }
  const exitCode = ending?.exitCode ?? null;
  const ended = { kind: 'exited', exitCode, outOfMemory: ending?.reason === 'out_of_memory' } as const;
  const wasTaken = ending?.reason === 'lost' || ending?.reason === 'cancelled';
  if (wasTaken && (sandbox === null || sandbox.closedFor !== null || isClosed(sandbox.state)))
    return { ...ended, reason, code: 'sandbox_closed' };
  if (ending?.reason === 'timeout')
    return { ...ended, reason: 'It ran for longer than the server lets a worker live', code: 'job_timeout' };
  if (ending?.reason === 'cancelled') return { ...ended, reason: 'Somebody ended it in the sandbox' };
  const unsuitable = exitCode === null ? null : whyUnsuitable(exitCode, 'machine');
  return unsuitable === null ? { ...ended, reason } : { ...ended, reason: unsuitable, code: 'image_unsuitable' };
}
