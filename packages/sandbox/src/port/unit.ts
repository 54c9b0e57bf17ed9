import type { ErrorCode, Resources } from '@hangar/contract';
import type { CallOptions } from './call.ts';
import type { Machine } from './machine.ts';

export type { CallOptions } from './call.ts';

/** One attempt of one thing on a backend: a process group, a container, a pod, a rented machine. Found again by these two alone. */
export interface UnitKey {
  /** The id of what it is for, with its prefix: `j_…`, `s_…`. No driver reads more from it than that it is a name. */
  readonly id: string;
  readonly attempt: number;
}

/** What the unit runs first. It ends with it. */
export type Program =
  /** Nothing but what is opened in it later: a machine in hand. */
  | { readonly kind: 'hold' }
  /** One of the programs that the driver was given to bring along, by its name. */
  | {
      readonly kind: 'brought';
      readonly name: string;
      /** On its standard input, never in arguments or environment: it may hold a token. */
      readonly input: string;
    };

export interface UnitSpec {
  readonly key: UnitKey;
  readonly program: Program;
  /** Null: that of the profile. A driver without images ignores it only where its capability says so. */
  readonly image: string | null;
  readonly resources: Resources;
  /**
   * A driver ends what outlives it, also while no server runs; how long it waits for a place or an image does not count. Null: until it
   * is removed.
   */
  readonly deadlineSeconds: number | null;
}

/** What the backend itself says. `missing` means it proved that there is no such unit. */
export type UnitState =
  | { readonly kind: 'missing' }
  | { readonly kind: 'starting'; readonly reason: string }
  | { readonly kind: 'running' }
  /** Holds its files, and its memory where the backend can; runs nothing. */
  | { readonly kind: 'paused' }
  | {
      readonly kind: 'exited';
      readonly exitCode: number | null;
      readonly outOfMemory: boolean;
      readonly reason: string;
      /** The cause where the backend knows it: the program never ran because the image cannot run it. */
      readonly code?: ErrorCode;
    };

export interface SweepReport {
  /** Removed because nobody owns it, in words: "container hangar-j_1-1". */
  readonly removed: readonly string[];
  readonly kept: number;
}

/**
 * Units of one profile. Every call is idempotent and may be repeated after a crash at any line: a create that was made though its answer
 * got lost is found again by its key.
 * Throws HangarError: image_not_found, image_unsuitable, launch_failed, disk_full, driver_auth_failed, driver_quota; worth another try
 * are driver_unavailable and driver_busy (details.retryAfterMs).
 */
export interface Units {
  /** Makes and starts it. One that is already there is left as it is. `say` tells people what takes long ("pulling image"). */
  ensure(spec: UnitSpec, o: CallOptions & { say: (reason: string) => void }): Promise<void>;
  inspect(key: UnitKey, o: CallOptions): Promise<UnitState>;
  /** What the unit itself printed last, for people. Lines, the newest last. */
  lastWords?(key: UnitKey, o: CallOptions): Promise<string[]>;
  /** Ends it with its whole process tree: TERM, after `graceMs` KILL. Missing is fine. Leaves its files. */
  stop(key: UnitKey, o: CallOptions & { graceMs: number }): Promise<void>;
  /** Removes all that is left of it. Missing is fine. */
  remove(key: UnitKey, o: CallOptions): Promise<void>;
  /** Finds every unit of this Hangar instance on the backend and removes those `isOwned` does not know. */
  sweep(isOwned: (key: UnitKey) => Promise<boolean>, o: CallOptions): Promise<SweepReport>;
  /** The machine that a running unit is. @throws HangarError sandbox_gone */
  machine(key: UnitKey, o: CallOptions): Promise<Machine>;
  /**
   * The URL by which what runs in the machine of a running unit reaches this server, as `HANGAR_WORKER_URL` has it: http, https, or
   * `unix:` and the path of a socket there. @throws HangarError launch_failed when there is no way, sandbox_gone
   */
  serverUrl(key: UnitKey, o: CallOptions): Promise<string>;
  /** Where the capability `pause` is there. Both may be repeated. */
  pause?(key: UnitKey, o: CallOptions): Promise<void>;
  resume?(key: UnitKey, o: CallOptions): Promise<void>;
  /** Where the backend ends units by a clock of its own: so long from now at least. */
  renew?(key: UnitKey, ms: number, o: CallOptions): Promise<void>;
}
