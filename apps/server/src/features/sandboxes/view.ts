import { type Execution, isClosed, isEnded, type Sandbox, type Session } from '@hangar/contract';
import { profileName } from '../../platform/places/profile-key.ts';
import { closesAt, factsOf } from './lifecycle/sandbox-facts.ts';
import type { Sealing } from './needs.ts';
import type { ExecutionRow, SandboxRow } from './store/sandboxes-tables.ts';

const iso = (at: Date | null): string | null => at?.toISOString() ?? null;

export function viewSandbox(row: SandboxRow, executionsRunning: number): Sandbox {
  const limit = isClosed(row.state) ? null : closesAt(factsOf(row));
  return {
    ...{ id: row.id, version: row.version, name: row.name, state: row.state },
    reason: reasonOf(row),
    failure: row.failure ?? row.fault?.failure ?? null,
    stateSince: row.stateSince.toISOString(),
    session: sessionOf(row),
    owner: { id: row.userId, name: row.userName },
    ...{ profile: profileName(row.profile), driver: row.driver, image: row.image, resources: row.resources },
    ...{ envNames: row.envNames, metadata: row.metadata },
    job: row.jobId,
    tree: row.tree && { path: row.tree.path, commit: row.tree.commit, partial: row.tree.partial },
    createdAt: row.createdAt.toISOString(),
    ...{ readyAt: iso(row.readyAt), finishedAt: iso(row.finishedAt), closeRequestedAt: iso(row.cancelRequestedAt) },
    lastActivity: row.lastActivityAt.toISOString(),
    ...{ idleSeconds: row.idleSeconds, lifetimeSeconds: row.lifetimeSeconds },
    closesAt: limit === null ? null : new Date(limit.at).toISOString(),
    closesSoon: limit !== null && limit.at === row.warnedOf?.getTime() ? limit.why : null,
    executionsRunning,
  };
}

/** With what may be left of it. */
function reasonOf({ reason, state, cleanedAt, fault, machine }: SandboxRow): string {
  if (!isClosed(state) || cleanedAt !== null) return reason;
  if (fault?.act === 'clean')
    return `${reason} Its machine could not be removed and may still be there: ${fault.failure.message}`;
  return machine?.kind === 'unknown' ? `${reason} Its machine may still be there: ${machine.reason}` : reason;
}

/** How the machine was seen last, as a connection to it. */
function sessionOf(row: SandboxRow): Session {
  const { state, stateSince, machine, readyAt, leftAt } = row;
  if (isClosed(state)) {
    const failed = state === 'closed' ? 'disconnected' : 'error';
    return { state: failed, since: stateSince.toISOString(), detail: reasonOf(row) };
  }
  if (readyAt === null || machine === null) return { state: 'none', since: null, detail: row.reason };
  const since = machine.since;
  if (machine.kind === 'unknown') return { state: 'reconnecting', since, detail: machine.reason };
  if (leftAt !== null) return { state: 'disconnected', since: leftAt.toISOString(), detail: 'Its person has left it' };
  if (machine.kind === 'paused') return { state: 'disconnected', since, detail: 'It is paused' };
  return { state: 'connected', since, detail: null };
}

export const viewExecution = (row: ExecutionRow, { openTitle }: Pick<Sealing, 'openTitle'>): Execution => ({
  ...{ id: row.id, version: row.version, sandbox: row.sandboxId, job: row.jobId, state: row.state },
  title: row.titleSealed === null ? '…' : openTitle(row.id, row.titleSealed),
  ...{ stateSince: row.stateSince.toISOString(), reason: row.reason, failure: row.failure },
  cancelRequestedAt: iso(row.cancelRequestedAt),
  ...{ terminal: row.terminal, stdin: row.stdin, createdAt: row.createdAt.toISOString() },
  ...{ startedAt: iso(row.startedAt), finishedAt: iso(row.finishedAt) },
  ...endingOf(row),
  output: { stdout: row.stdoutBytes, stderr: row.stderrBytes, truncated: row.truncated },
  leftover: row.ending?.leftover ?? 0,
});

export const endingOf = ({ state, ending }: ExecutionRow): Pick<Execution, 'exitCode' | 'signal'> => ({
  exitCode: isEnded(state) ? (ending?.exitCode ?? null) : null,
  signal: ending?.signal ?? null,
});
