import type { Readable, Writable } from 'node:stream';
import type { MachineCapabilities } from '@hangar/contract';
import type { CallOptions } from './call.ts';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface OpenOptions extends CallOptions {
  /** False: its standard input is at its end from the start. */
  readonly stdin: boolean;
  /** A terminal, where the capability `terminal` is there; then stdout has all it shows and stderr nothing. */
  readonly terminal?: TerminalSize;
  /** Another account than the unit's own, where the capability `user` is there. */
  readonly user?: string;
}

/** How a process ended, as the backend says it: a code, or the name of a signal ("SIGKILL"); both null where it does not know. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * One process in a machine. Bytes, not text: but where `stdio` is `text`, what is no UTF-8 comes out broken, and the layer above sends
 * lines of base64.
 */
export interface Channel {
  /** Null when it was not asked for. `end()` is end of file for the process, where `stdin` is `stream`. */
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * When the process has ended. What it printed may still be in the streams. @throws HangarError connection_lost when the way to the
   * machine broke: it says nothing of the process. sandbox_gone when the machine is proved to be gone.
   */
  readonly exit: Promise<Exit>;
  resize?(size: TerminalSize): Promise<void>;
  /** Stops listening. Never counts on the process being ended by it, nor on its living on. */
  close(): void;
}

/** What a machine has and uses now. Null: this backend does not say. */
export interface Load {
  readonly at: Date;
  /** Cores in use, averaged since the sample before: 1.5 is one and a half. */
  readonly cpus: number | null;
  readonly cpusMost: number | null;
  readonly memoryBytes: number | null;
  readonly memoryMost: number | null;
  readonly diskBytes: number | null;
  readonly diskMost: number | null;
}

/**
 * The thin part that every backend brings: processes as streams, and files where its streams are text. All else (supervised executions,
 * trees that are killed, time limits, files, load) is written once above it, in `../machine`.
 */
export interface Machine {
  readonly capabilities: MachineCapabilities;
  /**
   * Starts a program with its arguments as they are: a driver whose backend takes a shell line quotes them. Its environment and folder
   * are those of the machine; the layer above wraps what wants others.
   * @throws HangarError sandbox_gone, connection_lost, driver_unavailable, driver_busy, driver_auth_failed, command_too_long
   */
  open(argv: readonly [string, ...string[]], o: OpenOptions): Promise<Channel>;
  /** Required where `stdio` is `text` or `stdin` is not `stream`. Absolute paths; the folder is there. */
  writeFile?(path: string, body: Readable, o: CallOptions): Promise<void>;
  readFile?(path: string, o: CallOptions): Promise<Readable>;
  /** Where `load` is `native`. */
  load?(o: CallOptions): Promise<Load>;
}
