import type { Driver, ErrorCode, ProfileCheck, Resources } from '@hangar/contract';

/** One attempt of one job on a driver: a process group, a container, a pod. Found again by these two alone. */
export interface UnitKey {
  readonly jobId: string;
  readonly attempt: number;
}

export interface LaunchRequest extends UnitKey {
  /** Given to the worker on standard input, never in arguments or environment. */
  readonly workerToken: string;
  readonly image: string | null;
  readonly resources: Resources;
  /**
   * Of the worker, with the time to clone, to collect, and to wait for a server that is away. A driver kills what outlives it, also while
   * no server runs; how long it waits for a place or an image does not count.
   */
  readonly deadlineSeconds: number;
}

/** What the backend itself says. `missing` means it proved that there is no such unit. */
export type UnitState =
  | { readonly kind: 'missing' }
  | { readonly kind: 'starting'; readonly reason: string }
  | { readonly kind: 'running' }
  | {
      readonly kind: 'exited';
      readonly exitCode: number | null;
      readonly outOfMemory: boolean;
      readonly reason: string;
      /** The cause where the backend knows it: the worker never ran because the image cannot run it. */
      readonly code?: ErrorCode;
    };

export interface CallOptions {
  readonly signal: AbortSignal;
}

export interface SweepReport {
  /** Removed because nobody owns it, in words: "container hangar-j_1-1". */
  readonly removed: readonly string[];
  readonly kept: number;
}

/**
 * The port a driver implements to run jobs. Every call is idempotent and may be repeated after a crash at any line.
 * Throws HangarError: image_not_found, image_unsuitable, driver_unavailable (worth a retry), launch_failed, disk_full.
 */
export interface Launcher {
  /** Starts the worker. When the unit is already there it is left as it is. `say` tells people what takes long ("pulling image"). */
  launch(request: LaunchRequest, o: CallOptions & { say: (reason: string) => void }): Promise<void>;
  inspect(unit: UnitKey, o: CallOptions): Promise<UnitState>;
  /** What the unit itself printed last, for people: the evidence where its worker never spoke to this server. Lines, the newest last. */
  lastWords?(unit: UnitKey, o: CallOptions): Promise<string[]>;
  /** Kills the unit with its whole process tree: TERM, after `graceMs` KILL. Missing is fine. Leaves its files. */
  cancel(unit: UnitKey, o: CallOptions & { graceMs: number }): Promise<void>;
  /** Removes what is left of an ended unit: container, work tree, private home. Missing is fine. */
  remove(unit: UnitKey, o: CallOptions): Promise<void>;
  /** Finds every unit of this Hangar instance on the backend and removes those `isOwned` does not know. */
  sweep(isOwned: (unit: UnitKey) => Promise<boolean>, o: CallOptions): Promise<SweepReport>;
  /** Whether what is set up could make a unit: asked when the server starts, makes nothing. @throws HangarError why not */
  validate?(o: CallOptions): Promise<void>;
  /** Proves that jobs can run here, cheapest check first; stops at the first that makes the rest pointless. */
  test(o: CallOptions): Promise<ProfileCheck[]>;
}

/** A driver that can run jobs. `forProfile` is cheap and keeps nothing open. */
export interface JobDriver {
  readonly name: Driver['name'];
  describe(o: CallOptions): Promise<Driver>;
  /** @throws HangarError validation_failed when the settings are not the driver's */
  forProfile(profile: {
    name: string;
    settings: Record<string, unknown>;
    limits: { cpus?: number | undefined; memoryBytes?: number | undefined; pids?: number | undefined };
  }): Launcher;
}

/** How a worker reaches the server; made by compose and given to the drivers. */
export interface WorkerAccess {
  /** Base URL on loopback, the public URL, or the one that leads to all servers. Worker routes are below `/api/worker`. */
  readonly httpUrl: string;
  /**
   * Folder with `worker.sock`, a unix socket that serves only `/api/worker`. Mounted as a folder: the socket is made anew at each
   * start. Null where workers are to reach any of several servers: then all of them use the URL.
   */
  readonly socketDir: string | null;
  /** The bundled worker, one file that Node 20 can run. */
  readonly workerFile: string;
  /** The Node binary that runs the worker. */
  readonly nodeFile: string;
  /** Random id of this Hangar instance, kept in the database: the owner label of everything made. */
  readonly instanceId: string;
}
