import { type Failure, HangarError, isClosed, type SandboxStateName } from '@hangar/contract';
import type { ActFault, ClosedFor, LaunchFault, SandboxRow, SeenMachine } from '../store/sandboxes-tables.ts';

/** All that `decide` looks at. Times are milliseconds of one clock, the database's. */
export interface SandboxFacts {
  readonly createdAt: number;
  readonly admittedAt: number | null;
  readonly closeRequestedAt: number | null;
  readonly closedFor: ClosedFor | null;
  readonly pauseWanted: boolean;
  readonly launchTries: number;
  readonly launchedAt: number | null;
  readonly launchFault: (Omit<LaunchFault, 'at'> & { readonly at: number }) | null;
  readonly launchReason: string | null;
  readonly machine: (Omit<SeenMachine, 'at' | 'since'> & { readonly at: number; readonly since: number }) | null;
  /** Files of a job are to be laid out in it, and are not yet; why they never will be. */
  readonly treeWanted: boolean;
  readonly treeFault: Failure | null;
  readonly preparingAt: number | null;
  readonly readyAt: number | null;
  readonly lastActivityAt: number;
  readonly idleMs: number;
  readonly lifetimeMs: number;
  readonly fault: ActFault | null;
  readonly warnedOf: number | null;
  readonly cleaned: boolean;
  readonly ended: SandboxStateName | null;
  readonly reason: string;
  readonly failure: Failure | null;
}

export type SandboxAction =
  | { readonly kind: 'none' }
  | { readonly kind: 'launch' }
  | { readonly kind: 'look' }
  /** Lays out the files of its job. */
  | { readonly kind: 'prepare' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  /** Says why it closes, before anything is taken away. */
  | { readonly kind: 'close'; readonly why: ClosedFor }
  | { readonly kind: 'clean' };

export interface SandboxDecision {
  readonly state: SandboxStateName;
  readonly reason: string;
  readonly failure: Failure | null;
  readonly action: SandboxAction;
  readonly wakeMs: number | null;
  /** The end by a limit that is near: its person is told once of each. */
  readonly near: NearEnd | null;
}

export interface NearEnd {
  readonly at: number;
  readonly why: 'idle' | 'lifetime';
}

export interface Patience {
  /** How often a machine that runs is asked after: a dead connection is noticed in less than 30 seconds. */
  readonly lookMs: number;
  /** While it starts. */
  readonly startingMs: number;
  /** From launch to the first proof that it runs. */
  readonly readyMs: number;
  readonly launchTries: number;
  /** From the begin of laying out files to their end, whatever breaks in between. */
  readonly prepareMs: number;
  /** Said so long before it closes by itself, or a fifth of its limit where that is less. */
  readonly warnMs: number;
}

export const PATIENCE: Patience = {
  lookMs: 15_000,
  startingMs: 500,
  readyMs: 15 * 60_000,
  launchTries: 5,
  prepareMs: 3 * 3600_000,
  warnMs: 5 * 60_000,
};

const ms = (at: Date | null): number | null => at?.getTime() ?? null;

export const factsOf = (row: SandboxRow): SandboxFacts => ({
  createdAt: row.createdAt.getTime(),
  admittedAt: ms(row.admittedAt),
  closeRequestedAt: ms(row.cancelRequestedAt),
  closedFor: row.closedFor,
  pauseWanted: row.pauseWanted,
  launchTries: row.launchTries,
  launchedAt: ms(row.launchedAt),
  launchFault: row.launchFault && { ...row.launchFault, at: Date.parse(row.launchFault.at) },
  launchReason: row.launchReason,
  machine: row.machine && {
    ...row.machine,
    ...{ at: Date.parse(row.machine.at), since: Date.parse(row.machine.since) },
  },
  treeWanted: row.jobId !== null && row.tree === null,
  treeFault: row.treeFault,
  preparingAt: ms(row.preparingAt),
  readyAt: ms(row.readyAt),
  lastActivityAt: row.lastActivityAt.getTime(),
  idleMs: row.idleSeconds * 1000,
  lifetimeMs: row.lifetimeSeconds * 1000,
  fault: row.fault,
  warnedOf: ms(row.warnedOf),
  cleaned: row.cleanedAt !== null,
  ended: row.finishedAt === null ? null : row.state,
  reason: row.reason,
  failure: row.failure,
});

type Limits = Pick<SandboxFacts, 'readyAt' | 'lastActivityAt' | 'idleMs' | 'lifetimeMs'>;

/** What closes it by itself as things are, the soonest first. The limits begin with the machine. */
export function endsOf({ readyAt, lastActivityAt, idleMs, lifetimeMs }: Limits): (NearEnd & { limitMs: number })[] {
  if (readyAt === null) return [];
  const idle = { at: Math.max(readyAt, lastActivityAt) + idleMs, why: 'idle', limitMs: idleMs } as const;
  const lifetime = { at: readyAt + lifetimeMs, why: 'lifetime', limitMs: lifetimeMs } as const;
  return idle.at < lifetime.at ? [idle, lifetime] : [lifetime, idle];
}
export const closesAt = (facts: Limits): NearEnd | null => endsOf(facts)[0] ?? null;

/** When its person is warned of such an end. */
export const warnedFrom = ({ at, limitMs }: ReturnType<typeof endsOf>[number], { warnMs }: Patience): number =>
  at - Math.min(warnMs, limitMs / 5);
export function nearOf(facts: Limits, now: number, patience: Patience): NearEnd | null {
  const near = endsOf(facts).find((end) => now >= warnedFrom(end, patience) && now < end.at);
  return near === undefined ? null : { at: near.at, why: near.why };
}

/** One that may be used: also where it only waits for its machine, or is paused. @throws HangarError sandbox_closed */
export function stillOpen(row: SandboxRow): SandboxRow {
  if (!isClosed(row.state) && row.cancelRequestedAt === null && row.closedFor === null) return row;
  throw new HangarError('sandbox_closed', { message: `Sandbox ${row.id} is not open any more. ${row.reason}.` });
}
