import type { Readable } from 'node:stream';
import type { DriverName, Plan, Resources, WorkOrder } from '@hangar/contract';
import type { Brought, Reach, Sandbox, UnitKey, UnitState } from '@hangar/sandbox';
import type { Logs } from '../../platform/logs/index.ts';

/** What sandboxes need of people and profiles. */
export interface PeopleOfSandboxes {
  /** @throws HangarError user_not_found */
  planOf(userId: string): Promise<Plan>;
  /** Of those who are there. */
  standingOf(
    userIds: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly plan: Plan; readonly disabled: boolean }>>;
}

export interface ProfilesOfSandboxes {
  /** The named profile, or the default, as this person finds it: its key. @throws HangarError profile_not_found */
  find(name: string | undefined, userId: string): Promise<{ readonly name: string; readonly driver: DriverName }>;
  /** The one that a row names. @throws HangarError profile_not_found */
  byKey(key: string): Promise<{ readonly name: string; readonly driver: DriverName }>;
  /** Number of the settings that a profile has now. @throws HangarError profile_not_found */
  revisionOf(name: string): Promise<number>;
  /** The driver with these settings, though the profile be changed or gone. @throws HangarError profile_not_found, driver_unknown */
  reach(name: string, revision: number): Promise<Reach>;
}

/** A machine that can be worked in. */
export type Hand = Pick<Sandbox, 'executions' | 'files' | 'load' | 'platform' | 'programs'>;

/** What a sandbox takes over of a job whose files are laid out in it. */
export interface OriginOfSandbox {
  /** Its key. */
  readonly profile: string;
  readonly image: string | null;
  readonly resources: Resources;
  readonly env: Readonly<Record<string, string>>;
}

/** What is laid out, and where its bytes are. */
export interface FilesOfJob {
  readonly repo: WorkOrder['repo'];
  readonly credential: WorkOrder['credential'];
  readonly diff: boolean;
  readonly partial: boolean;
  open(what: 'bundle' | 'patch' | 'diff', o: { readonly signal: AbortSignal }): Promise<Readable>;
}

/** What sandboxes need of jobs: one's own that has ended. @throws HangarError job_not_found, job_not_ended, upload_not_found, artifact_removed */
export interface JobsOfSandboxes {
  originOf(userId: string, jobId: string): Promise<OriginOfSandbox>;
  /** @throws HangarError credential_not_found too */
  filesOf(userId: string, jobId: string): Promise<FilesOfJob>;
  /** The worker of a job, which ran as an execution, has ended. */
  workerEnded(key: UnitKey, state: UnitState): Promise<void>;
}

/** The program that works on trees, by the name it was brought under. */
export interface BroughtToSandboxes extends Pick<Brought, 'programs' | 'nodeFile'> {
  readonly treeProgram: string;
}

export type LogsOfExecutions = Pick<Logs, 'append' | 'appendSystem' | 'end' | 'read' | 'remove' | 'stats' | 'follow'>;

/** Environments and commands, sealed so that each opens for its own row alone. */
export interface Sealing {
  sealEnvironment(sandboxId: string, plain: string): string;
  openEnvironment(sandboxId: string, sealed: string): string;
  sealOrder(executionId: string, plain: string): string;
  openOrder(executionId: string, sealed: string): string;
  sealTitle(executionId: string, plain: string): string;
  openTitle(executionId: string, sealed: string): string;
}
