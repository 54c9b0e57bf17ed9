import { fromWire, HangarError } from '@hangar/contract/errors';

/** Whatever a call threw, as an error of the table. */
export function asHangarError(error: unknown): HangarError {
  if (error instanceof HangarError) return error;
  const told = fromWire(error);
  if (told) return told;
  if (error instanceof DOMException && error.name === 'AbortError')
    return new HangarError('server_unreachable', { message: 'The request was stopped.', wayOut: 'Try again.' });
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return new HangarError('server_unreachable', { message: 'The server does not answer.', wayOut: 'Try again soon.' });
  if (error instanceof TypeError)
    return new HangarError('server_unreachable', {
      wayOut: 'Check that it runs and that you are online, then try again.',
      cause: error,
    });
  // A proxy or a sign-in page of a network answered in its place.
  if (error instanceof SyntaxError)
    return new HangarError('server_unreachable', { message: 'What answers is not a Hangar server.', cause: error });
  const status = statusOf(error);
  if (status === 401) return new HangarError('not_signed_in', { wayOut: 'Sign in again.' });
  if (status !== undefined && status >= 502 && status <= 504)
    return new HangarError('server_unreachable', { message: 'The server does not answer.', wayOut: 'Try again soon.' });
  return new HangarError('internal', { cause: error });
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  return typeof error.status === 'number' ? error.status : undefined;
}

/** The reference to give to whoever runs the server; undefined when there is none. */
export const referenceOf = (error: HangarError): string | undefined =>
  typeof error.details?.reference === 'string' ? error.details.reference : undefined;

/** Messages of `details.issues` by field, as the server names them (validation_failed). */
export function issuesOf(error: unknown): Record<string, string> {
  const issues = error instanceof HangarError ? error.details?.issues : undefined;
  if (!Array.isArray(issues)) return {};
  const byField: Record<string, string> = {};
  for (const issue of issues) {
    if (typeof issue !== 'object' || issue === null) continue;
    const { field, path, message } = issue as { field?: unknown; path?: unknown; message?: unknown };
    const name = typeof field === 'string' ? field : Array.isArray(path) ? path.join('.') : undefined;
    if (name !== undefined && typeof message === 'string') byField[name] ??= message;
  }
  return byField;
}
