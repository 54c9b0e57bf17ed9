import { type ErrorCode, HangarError } from '@hangar/contract';
import { ORPCError, ValidationError } from '@orpc/server';
import type { Logger } from 'pino';
import { isConnectionLoss, isDiskFull, isOutOfFiles, isUnstorable } from '../database/index.ts';

/** What a framework or driver throws, as an error of our table. Unknown errors are logged with the reference that people see. */
export function asHangarError(error: unknown, reference: string, log: Logger): HangarError {
  if (error instanceof HangarError) {
    if (error.kind === 'internal') log.error({ err: error, reference }, 'request failed');
    return error;
  }
  if (error instanceof ORPCError) return fromOrpc(error, reference, log);
  const framework = fromFramework(error);
  if (framework) return framework;
  if (isUnstorable(error))
    return new HangarError('bad_request', {
      message: 'A text holds a character that cannot be stored, or a number is out of range.',
      cause: error,
    });
  if (isOutOfFiles(error)) {
    log.error({ err: error, reference }, 'no file descriptor left');
    return new HangarError('open_files_exhausted', { details: { retryAfterSeconds: 1 }, cause: error });
  }
  if (isConnectionLoss(error)) {
    log.warn({ err: error, reference }, 'database out of reach');
    return new HangarError('database_unavailable', { cause: error });
  }
  if (isDiskFull(error)) {
    log.error({ err: error, reference }, 'no space left');
    return new HangarError('disk_full', { cause: error });
  }
  log.error({ err: error, reference }, 'request failed');
  return new HangarError('internal', { cause: error });
}

function fromOrpc(error: ORPCError<string, unknown>, reference: string, log: Logger): HangarError {
  if (error.cause instanceof HangarError) return error.cause;
  if (error.status === 404 && error.code === 'NOT_FOUND') return new HangarError('route_not_found');
  if (error.cause instanceof ValidationError && error.status < 500) {
    const issues = error.cause.issues.map((issue) => ({
      field: (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
      message: issue.message,
    }));
    const first = issues[0];
    const message = first ? `${first.field ? `${first.field}: ` : ''}${first.message}` : undefined;
    return new HangarError('validation_failed', { ...(message ? { message } : {}), details: { issues } });
  }
  if (error.status < 500) return new HangarError('bad_request', { message: error.message, cause: error });
  log.error({ err: error.cause ?? error, reference }, 'request failed');
  return new HangarError('internal', { cause: error });
}

const FRAMEWORK: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'bad_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'bad_request',
  FST_ERR_CTP_INVALID_JSON_BODY: 'bad_request',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_BAD_URL: 'bad_request',
  FST_ERR_VALIDATION: 'validation_failed',
  ERR_STREAM_PREMATURE_CLOSE: 'bad_request',
};

/**
 * What Node throws from the body of a request whose sender has gone. The same code from anywhere else is a lost
 * connection to the database: refusing the request for it would make a worker drop what it was sending.
 */
const isSenderGone = (error: Error, code: string | undefined) => code === 'ECONNRESET' && error.message === 'aborted';

function fromFramework(error: unknown): HangarError | null {
  if (!(error instanceof Error)) return null;
  const { code, statusCode } = error as Error & { code?: string; statusCode?: number };
  const known = isSenderGone(error, code) ? 'bad_request' : FRAMEWORK[code ?? ''];
  if (known) return new HangarError(known, { message: error.message, cause: error });
  if (statusCode === 429) return new HangarError('rate_limited', { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new HangarError('bad_request', { message: error.message, cause: error });
  return null;
}
