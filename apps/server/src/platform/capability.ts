import type { ActivityMessage, SearchHit } from '@hangar/contract';
import type { AnyRouter } from '@orpc/server';
import type { Logger } from 'pino';
import type { Blobs } from './blobs/blobs.ts';
import type { BlobOwner } from './blobs/orphans.ts';
import type { Chore } from './chores.ts';
import type { Database, SettingsStore, Tx } from './database/index.ts';
import type { Caller, WayToIdentify } from './http/identity.ts';
import type { RawRoutes } from './http/routes.ts';
import type { Live, LiveView } from './live/live.ts';
import type { Logs } from './logs/index.ts';
import type { Places } from './places/places.ts';
import type { Keeper } from './retention/retention.ts';
import type { Secrets } from './secrets/index.ts';

/** Something that is said on the activity bus: what is being done, by whom, and how far it is. */
export interface Publication {
  readonly activityId: string;
  readonly message: ActivityMessage;
  readonly at: Date;
  readonly actor: { readonly id: string | null; readonly name: string };
  readonly correlationId: string | null;
}

/** Within the caller's transaction, so that what is said and what was done commit together. Saying a step twice changes nothing. */
export type Publish = (tx: Tx, publications: readonly Publication[]) => Promise<void>;

/** Finds things of one noun for a person, by a text in lower case. Each looks only at what that person may see. */
export type SearchSource = (caller: Caller, text: string) => Promise<SearchHit[]>;

/** What every feature stands on. */
export interface Foundation {
  readonly database: Database;
  readonly settings: SettingsStore;
  readonly secrets: Secrets;
  readonly blobs: Blobs;
  readonly logs: Logs;
  readonly live: Live;
  readonly places: Places;
  readonly publish: Publish;
  /** For whoever takes away rows and then the bytes they named. Null: a backup is being made; come again. */
  readonly whileNoBackup: <T>(work: () => Promise<T>) => Promise<T | null>;
  /** Random id of this Hangar instance, kept in the database: the owner label of everything made. */
  readonly instanceId: string;
  readonly log: Logger;
}

/** What a feature hands to `compose.ts`; it leaves out what it has not. */
export interface Capability {
  /** Operations, by their group in the contract. */
  readonly router?: Readonly<Record<string, AnyRouter>>;
  /** Routes of bytes. */
  readonly raw?: readonly RawRoutes[];
  /** How a thing that changed is read for viewers, once a process; by noun. */
  readonly live?: Readonly<Record<string, LiveView>>;
  /** Who calls that is no person. */
  readonly identify?: WayToIdentify;
  readonly search?: SearchSource;
  /** Nouns whose ended things keep something that plans limit. */
  readonly keepers?: readonly Keeper[];
  readonly blobs?: readonly BlobOwner[];
  /** Whether a unit on a backend is still somebody's: what nobody owns is removed. By the id of what it is for, and its attempt. */
  ownsUnit?(id: string, attempt: number): Promise<boolean>;
  readonly chores?: readonly Chore[];
  /** Before anybody is let in; in the order of the list, as all that follows. */
  prepare?(): Promise<void>;
  /** Begins work in the background, once requests are answered. */
  start?(): Promise<void>;
  /** Ends work in the background, until the signal aborts: what is in hand goes to other servers. All of them at the same time. */
  stop?(signal: AbortSignal): Promise<void>;
  /** When the last request was answered; in reverse order. Answers that go on for long end with the `preClose` of their routes. */
  close?(): Promise<void>;
}
