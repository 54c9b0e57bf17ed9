export const ERROR_KINDS = {
  invalid: { status: 400, exitCode: 2 },
  unauthenticated: { status: 401, exitCode: 3 },
  forbidden: { status: 403, exitCode: 3 },
  not_found: { status: 404, exitCode: 2 },
  conflict: { status: 409, exitCode: 2 },
  limit: { status: 429, exitCode: 2 },
  unavailable: { status: 503, exitCode: 4 },
  internal: { status: 500, exitCode: 1 },
} as const;

export type ErrorKind = keyof typeof ERROR_KINDS;

export interface ErrorEntry {
  readonly kind: ErrorKind;
  /** What happened, in the reader's words. A thrower may replace it with something more exact. */
  readonly message: string;
  /** What to do next. */
  readonly wayOut: string;
  /** Only where it differs from the status of the kind. */
  readonly status?: number;
}
