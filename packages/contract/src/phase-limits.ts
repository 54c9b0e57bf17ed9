/**
 * How long a worker may take for each phase of a job besides the agent, whose timeout is the job's own. No schema: the worker carries none.
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
