import type { DriverName, Plan } from '@hangar/contract';
import type { Logs } from '../../platform/logs/index.ts';
import type { Secret } from '../../platform/secrets/index.ts';
import type { Launcher } from './launch/launcher.ts';
import type { Launchers } from './launch/launchers.ts';

/** What jobs need of people, profiles and credentials. */
export interface PeopleOfJobs {
  /** @throws HangarError user_not_found */
  planOf(userId: string): Promise<Plan>;
  /** Of those who are there. */
  standingOf(
    userIds: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly plan: Plan; readonly disabled: boolean }>>;
}

export interface ProfilesOfJobs {
  /** What a person means by a name, or by none; its `name` is how rows name it. @throws HangarError profile_not_found */
  find(name: string | undefined, userId: string): Promise<{ readonly name: string; readonly driver: DriverName }>;
  /** The one that a row names. @throws HangarError profile_not_found */
  byKey(key: string): Promise<{ readonly name: string; readonly driver: DriverName }>;
  /** How rows name what a person means by a name, whether it is there or not. */
  keyOf(name: string, userId: string): Promise<string>;
  /** Number of the settings that a profile has now. @throws HangarError profile_not_found */
  revisionOf(name: string): Promise<number>;
  /** The launcher with these settings, though the profile be changed or gone. @throws HangarError profile_not_found, driver_unknown */
  reach(name: string, revision: number): Promise<Launcher>;
  /** Of the profiles that have such a limit. */
  jobsAtOnce(): Promise<ReadonlyMap<string, number>>;
  /** Those whose driver this server offers. */
  all(): Promise<Launchers>;
  /** Wherever units may be left: with all settings that are kept, each once. */
  everReached(): Promise<Launchers>;
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
