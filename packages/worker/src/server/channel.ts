import type { DiffStat, Finish, Orders, Report, WorkerLine } from '@hangar/contract';

export interface Deadline {
  readonly signal: AbortSignal;
}

/** A file to hand over. `file` is private to the worker and does not change while it is sent. */
export interface Upload {
  readonly name: string;
  readonly kind: 'diff' | 'file';
  /** Saved before the agent ended; only for a diff. */
  readonly partial: boolean;
  readonly file: string;
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
  /** What a diff holds, so that whoever takes it knows without reading it. */
  readonly counts?: Pick<DiffStat, 'filesChanged' | 'insertions' | 'deletions'>;
}

/**
 * How a run talks to whoever ordered it: a server over HTTP, or the command line that runs it right here.
 * Calls that cannot get through are repeated until their signal aborts; they throw HangarError for a refusal that stays.
 */
export interface WorkerChannel {
  /** Aborts when the job is no longer this worker's: everything must stop and nothing more be reported. */
  readonly fenced: AbortSignal;
  /** Takes lines over, in order and already masked. Resolves when there is room for more. */
  log(lines: readonly WorkerLine[]): Promise<void>;
  /** Resolves when all lines are stored, with the number of the last batch (0: there was none). */
  flush(o: Deadline): Promise<number>;
  report(report: Report, o: Deadline): Promise<void>;
  /** Sign of life. Answers at once with a cancel, else after about `waitSeconds` (or never, when nobody can cancel). */
  orders(o: Deadline & { waitSeconds: number }): Promise<Orders>;
  download(what: 'bundle' | 'patch', file: string, o: Deadline): Promise<void>;
  upload(upload: Upload, o: Deadline): Promise<void>;
  finish(finish: Finish, o: Deadline): Promise<void>;
}
