import type { Readable } from 'node:stream';
import type { CallOptions } from '../port/call.ts';
import type { Load, TerminalSize } from '../port/machine.ts';

export type Tool = 'sh' | 'bash' | 'git' | 'node' | 'python3' | 'tar' | 'script' | 'setsid' | 'stat' | 'find';

/** What a machine is, as it was when it was asked. Null: it does not say. */
export interface Platform {
  readonly os: string;
  /** As the kernel says it: x86_64, aarch64. */
  readonly arch: string;
  readonly kernel: string;
  /** "Debian GNU/Linux 12 (bookworm)". */
  readonly distribution: string | null;
  readonly home: string;
  readonly uid: number;
  readonly user: string;
  /** Cores and bytes that may be used: the limits of its cgroup before those of the hardware. */
  readonly cpus: number | null;
  readonly memoryBytes: number | null;
  /** Of the file system of `home`. */
  readonly diskBytes: number | null;
  readonly diskFreeBytes: number | null;
  /** First line of what it says about its version, "" where it says nothing; null where it is missing. */
  readonly tools: Readonly<Record<Tool, string | null>>;
  readonly gnu: boolean;
  /** How far its clock is before ours, in milliseconds, give or take the time of the answer. */
  readonly clockSkewMs: number;
  /** `supervised` terminals live on when the connection breaks and are attached again; they need `script` of util-linux. */
  readonly terminal: 'supervised' | 'none';
}

export interface ExecutionSpec {
  /** [a-z0-9_]{1,60}, never used twice on one machine for two things: its processes are found by it. */
  readonly id: string;
  /** A program with its arguments, or a script for sh, which may be long. */
  readonly command: readonly string[] | { readonly shell: string };
  /** Absolute; null: the home folder. */
  readonly cwd: string | null;
  /** On top of the environment of the machine. */
  readonly env: Readonly<Record<string, string>>;
  /** Another account, where the capability `user` is there. */
  readonly user: string | null;
  /** `text`: the whole of it, known from the start; it stands in no file of the machine once the program runs. */
  readonly stdin: 'none' | 'open' | { readonly text: string };
  /** A terminal is always open for input, and shows stdout and stderr as one. */
  readonly terminal: TerminalSize | null;
  /** Kept in the machine, also while nobody looks. */
  readonly timeoutMs: number | null;
  /** Between TERM and KILL when the time is over. */
  readonly graceMs: number;
}

export interface Offsets {
  readonly stdout: number;
  readonly stderr: number;
}

export interface Result {
  /**
   * `signaled` is told by a code of 129 to 159, as shells do. `not_started`: the program or its folder is missing or may not be used,
   * exitCode is 126 or 127. `lost`: the machine was started anew, or its supervisor killed.
   */
  readonly reason: 'exited' | 'signaled' | 'timeout' | 'cancelled' | 'out_of_memory' | 'not_started' | 'lost';
  readonly exitCode: number | null;
  /** "SIGKILL" */
  readonly signal: string | null;
  /** Of output until then; what outlives it may print more, which nobody is told of. */
  readonly bytes: Offsets;
  /** Processes of it that were still there: left alone after `exited`, not to be killed after `cancelled` and `timeout`. */
  readonly leftover: number;
  /** For people, where there is more to say. */
  readonly message: string | null;
}

export type Output =
  | { readonly type: 'started'; readonly pid: number }
  | { readonly type: 'stdout' | 'stderr'; readonly offset: number; readonly data: Uint8Array }
  | { readonly type: 'end'; readonly result: Result };

export interface InputChannel {
  /** Bytes of this writer that are in. */
  readonly taken: number;
  /** Bytes of output that there were when it was opened. */
  readonly printed: number;
  /** Of the terminal then; null when there is none. */
  readonly size: TerminalSize | null;
  /** At most 64 KiB. Resolves once they are in: with `taken`. After an error the channel is over. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

export interface ExecutionInfo {
  readonly id: string;
  readonly pid: number | null;
  /** Null while it runs. */
  readonly result: Result | null;
  /** In its spool now. */
  readonly bytes: Offsets;
}

export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGQUIT' | 'SIGKILL';

/**
 * Programs that a supervisor in the machine keeps: their output lies in a spool there, so nothing is lost when a connection breaks or the
 * server starts anew. Iterators hold no more than what is read of them; leaving one early ends nothing.
 * All throw HangarError: connection_lost (try again, with the offsets reached), sandbox_gone, execution_not_found, validation_failed,
 * command_too_long, unsupported, disk_full.
 */
export interface Executions {
  /** Starts it unless it was started already, whatever broke in between, and follows it. */
  run(spec: ExecutionSpec, from: Offsets, o: CallOptions): AsyncIterable<Output>;
  attach(id: string, from: Offsets, o: CallOptions): AsyncIterable<Output>;
  /**
   * Puts bytes at a position of its standard input; what is there already is left as it is, so that it can be repeated. At most 1 MiB.
   * @returns how many bytes are there then @throws conflict when bytes before `at` are missing
   */
  write(id: string, at: number, bytes: Uint8Array, o: CallOptions): Promise<number>;
  /** End of its standard input, after `size` bytes. May be repeated. */
  endInput(id: string, size: number, o: CallOptions): Promise<void>;
  /**
   * A way for what is typed, that stays open: a key costs no new process. `writer` ([A-Za-z0-9]{8,64}) is who types; several may type
   * into one execution, and what one `write` brings stays together. Who lost a channel opens another with the same writer, learns how many
   * of its bytes are in, and goes on there. `signal` ends the channel.
   * @throws HangarError execution_ended, input_closed by `write`; as the others
   */
  input(id: string, writer: string, o: CallOptions): Promise<InputChannel>;
  resize(id: string, size: TerminalSize, o: CallOptions): Promise<void>;
  /** Lets what fills the screen of a terminal paint it again, by a size that comes and goes. */
  redraw(id: string, o: CallOptions): Promise<void>;
  /**
   * Ends its whole tree: the signal, after `graceMs` KILL. One that has ended answers how; one that was not started yet never will be.
   */
  cancel(id: string, how: { readonly graceMs: number; readonly signal: StopSignal }, o: CallOptions): Promise<Result>;
  /** Ends what one that has ended left behind, by its mark. Nothing of it needs to be known any more. */
  endLeftover(id: string, o: CallOptions): Promise<void>;
  list(o: CallOptions): Promise<ExecutionInfo[]>;
  /** Removes its spool. @throws conflict while it runs */
  forget(id: string, o: CallOptions): Promise<void>;
}

export interface FileStat {
  /** As `decodePath` makes it; in a list relative to the folder. */
  readonly path: string;
  readonly type: 'file' | 'folder' | 'link' | 'other';
  readonly size: number;
  /** Permission bits: 0o644. */
  readonly mode: number;
  readonly modifiedAt: Date;
  readonly uid: number;
  readonly gid: number;
  /** Where a link points to, as it is written in it. */
  readonly target: string | null;
}

/**
 * Files of a machine. Paths are absolute, and may hold any bytes (`decodePath` of the contract). All throw HangarError: file_not_found,
 * file_forbidden, path_in_the_way, disk_full, validation_failed, connection_lost, sandbox_gone.
 */
export interface Files {
  /** Of the thing itself, links are not followed; null when it is not there. */
  stat(path: string, o: CallOptions): Promise<FileStat | null>;
  /** What is in a folder, to a depth of 1 when not said, in no order. */
  list(path: string, o: CallOptions & { readonly depth?: number }): AsyncIterable<FileStat>;
  read(path: string, o: CallOptions & { readonly offset?: number; readonly length?: number }): Promise<Readable>;
  /** Whole or not at all. Makes no folders. Keeps the mode of a file that is replaced when none is said. */
  write(path: string, body: Readable | Uint8Array, o: CallOptions & { readonly mode?: number }): Promise<void>;
  /** With those above it; one that is there is fine. */
  mkdir(path: string, o: CallOptions): Promise<void>;
  /** What is not there is fine. @throws path_in_the_way for a folder that is not empty, unless `recursive` */
  remove(path: string, o: CallOptions & { readonly recursive?: boolean }): Promise<void>;
  /** Replaces a file that is there. */
  rename(from: string, to: string, o: CallOptions): Promise<void>;
  /** Unpacks a tar archive into a folder that is made. Refuses names that lead out of it. Not all or nothing. */
  upload(path: string, tar: Readable, o: CallOptions): Promise<void>;
  /** A folder, or some paths in it (relative), as a tar archive whose names stay below it. */
  download(path: string, o: CallOptions & { readonly paths?: readonly string[] }): Promise<Readable>;
}

/** Programs that were brought, for executions to run. */
export interface Programs {
  /** Brings what is not there yet. The command runs with its folder in HANGAR_WORKER_DIR, which is made. */
  command(name: string, o: CallOptions & { readonly say: (reason: string) => void }): Promise<[string, string]>;
  /** A folder that goes with the unit, where it has one, else the home of its account. */
  workFolder(o: CallOptions): Promise<string>;
}

export interface Sandbox {
  platform(o: CallOptions): Promise<Platform>;
  readonly executions: Executions;
  readonly files: Files;
  readonly programs: Programs;
  load(o: CallOptions): Promise<Load>;
}
