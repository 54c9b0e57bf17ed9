/** What worker and server count alike. No schema: the worker carries none. */

/**
 * How long a worker may take for each phase of a job besides the agent, whose timeout is the job's own.
 * The worker keeps them, the server a little later, and the driver as the last of the three, which works while no server runs.
 */
export const PHASE_LIMITS = {
  /** From the work order to the start of the agent: clone or bundle. */
  cloningSeconds: 2 * 3600,
  /** To make the diff, once the agent has ended. */
  collectingSeconds: 30 * 60,
  /** To hand over log, diff and artifacts, which wait for a server that is away. Reported as `collecting`, too. */
  deliveringSeconds: 24 * 3600,
} as const;

/** What the worker needs beyond a limit to end what runs and to say so. */
export const PHASE_GRACE_SECONDS = 120;

/** Longest life of a worker whose agent has this timeout, from its start to its last word. */
export const workerSeconds = (timeoutSeconds: number): number =>
  PHASE_LIMITS.cloningSeconds +
  timeoutSeconds +
  PHASE_LIMITS.collectingSeconds +
  PHASE_LIMITS.deliveringSeconds +
  PHASE_GRACE_SECONDS;

/**
 * What a line costs of the log of a job besides the bytes of its text: its number, time and stream as they are stored (74 bytes
 * measured at a million lines). Empty lines would be free else, and fill the disk.
 */
export const LOG_LINE_BYTES = 75;
/**
 * The server takes so much more than the worker's limit, which is the plan's: room for what the worker still says when it has
 * reached that, for the last lines it keeps, and for the server's own lines. Beyond it a worker does not keep to its limit.
 */
export const LOG_HEADROOM_BYTES = 1024 * 1024;
