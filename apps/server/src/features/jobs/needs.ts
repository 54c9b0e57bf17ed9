import type { DriverName, Plan, Resources } from '@hangar/contract';
import type { CallOptions, Units } from '@hangar/sandbox';
import type { Logs } from '../../platform/logs/index.ts';
import type { Secret } from '../../platform/secrets/index.ts';

/** What jobs need of people, profiles and credentials. */
export interface PeopleOfJobs {
  /** @throws HangarError user_not_found */
  planOf(userId: string): Promise<Plan>;
  /** Of those who are there. */
  standingOf(
    userIds: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly plan: Plan; readonly disabled: boolean }>>;
}

/** What jobs need of where they run: units whose program is the worker. */
export interface BackendOfJobs {
  readonly units: Pick<Units, 'ensure' | 'inspect' | 'lastWords' | 'stop' | 'remove'>;
  /** Whether what is set up could make a unit: asked when the server starts, makes nothing. @throws HangarError why not */
  validate?(o: CallOptions): Promise<void>;
}

/** The backend of each profile. */
export type BackendsOfJobs = readonly { readonly name: string; readonly reach: BackendOfJobs }[];

export interface ProfilesOfJobs {
  /** What a person means by a name, or by none; its `name` is how rows name it. @throws HangarError profile_not_found */
  find(name: string | undefined, userId: string): Promise<{ readonly name: string; readonly driver: DriverName }>;
  /** The one that a row names. @throws HangarError profile_not_found */
  byKey(key: string): Promise<{ readonly name: string; readonly driver: DriverName }>;
  /** How rows name what a person means by a name, whether it is there or not. */
  keyOf(name: string, userId: string): Promise<string>;
  /** Number of the settings that a profile has now. @throws HangarError profile_not_found */
  revisionOf(name: string): Promise<number>;
  /** The backend with these settings, though the profile be changed or gone. @throws HangarError profile_not_found, driver_unknown */
  reach(name: string, revision: number): Promise<BackendOfJobs>;
  /** Of the profiles that have such a limit. */
  jobsAtOnce(): Promise<ReadonlyMap<string, number>>;
  /** Those whose driver this server offers. */
  all(): Promise<BackendsOfJobs>;
}

/** Where a job runs, and what it takes over from there. */
export interface PlaceOfJob {
  readonly profile: string;
  readonly driver: DriverName;
  readonly image: string | null;
  readonly resources: Resources;
}

/** Sandboxes, as jobs work in them: their worker is an execution there. */
export interface SandboxesOfJobs {
  /** What a job takes over of an open one of this person; `profile` as rows name it. @throws HangarError sandbox_not_found, sandbox_closed */
  find(id: string, userId: string): Promise<PlaceOfJob>;
  /** What people set for all that is executed in it. @throws HangarError sandbox_not_found */
  environmentOf(id: string): Promise<Record<string, string>>;
  /** Its units are executions; what they need of a spec is its key, program and deadline. */
  backend(id: string): BackendOfJobs;
}

export interface CredentialsOfJobs {
  has(userId: string, name: string): Promise<boolean>;
  /** @throws HangarError credential_not_found */
  open(
    userId: string,
    name: string,
  ): Promise<{
    readonly kind: 'https-token' | 'ssh-key';
    readonly host: string | null;
    readonly username: string | null;
    readonly value: Secret;
    readonly knownHosts: string | null;
  }>;
}

/** The environment of a job, sealed so that it opens for this job alone. */
export interface Environment {
  seal(jobId: string, plain: string): string;
  open(jobId: string, sealed: string): string;
}

export type LogsOfJobs = Pick<Logs, 'append' | 'appendSystem' | 'end' | 'read' | 'remove' | 'stats' | 'storedSeq'>;
