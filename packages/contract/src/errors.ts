import { ERROR_KINDS, ERRORS, type ErrorEntry, type ErrorKind } from './error-table.ts';

export { ERROR_KINDS, ERRORS, type ErrorKind };

export type ErrorCode = keyof typeof ERRORS;

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

export interface HangarErrorOptions {
  /** Replaces the table's sentence with a more exact one. */
  message?: string;
  wayOut?: string;
  /** Facts for programs: field errors, numbers of a quota, seconds to wait. Never secrets. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** The only error that features, worker and CLI throw on purpose. Its code is in the table above. */
export class HangarError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly wayOut: string;
  readonly status: number;
  readonly exitCode: number;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, options: HangarErrorOptions = {}) {
    const entry: ErrorEntry = ERRORS[code];
    super(options.message ?? entry.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HangarError';
    this.code = code;
    this.kind = entry.kind;
    this.wayOut = options.wayOut ?? entry.wayOut;
    this.status = entry.status ?? ERROR_KINDS[entry.kind].status;
    this.exitCode = ERROR_KINDS[entry.kind].exitCode;
    this.details = options.details;
  }
}

/** How an error looks on the wire, the same for contract routes and raw routes. */
export interface WireError {
  defined: boolean;
  code: string;
  status: number;
  message: string;
  data: {
    kind: ErrorKind;
    wayOut: string;
    reference?: string | undefined;
    details?: Record<string, unknown> | undefined;
  };
}

export function toWire(error: HangarError, reference?: string): WireError {
  return {
    defined: false,
    code: error.code,
    status: error.status,
    message: error.message,
    data: {
      kind: error.kind,
      wayOut: error.wayOut,
      ...(reference === undefined ? {} : { reference }),
      ...(error.details === undefined ? {} : { details: error.details }),
    },
  };
}

/** Whether what answered so may be well by itself after a while. */
export const isPassingStatus = (status: number): boolean => status >= 500 || status === 429 || status === 408;

/** Reads an answer of a Hangar server back into the error that was thrown there; null when it is something else. */
export function fromWire(body: unknown): HangarError | null {
  if (typeof body !== 'object' || body === null) return null;
  const { code, message, data } = body as Partial<WireError>;
  if (typeof code !== 'string' || !isErrorCode(code)) return null;
  const details = { ...data?.details, ...(data?.reference ? { reference: data.reference } : {}) };
  return new HangarError(code, {
    ...(typeof message === 'string' ? { message } : {}),
    ...(typeof data?.wayOut === 'string' ? { wayOut: data.wayOut } : {}),
    ...(Object.keys(details).length > 0 ? { details } : {}),
  });
}
