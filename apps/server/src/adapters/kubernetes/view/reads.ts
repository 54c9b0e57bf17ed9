import { ERRORS, HangarError } from '@hangar/contract';
import { ApiError } from '@hangar/sandbox/kubernetes';

/** What went wrong when something was read, as the view tells it. What the caller itself stopped is passed on as it is. */
export function asViewError(error: unknown): unknown {
  if (error instanceof ApiError) {
    if (error.status === 401) return new HangarError('k8s_refused', { cause: error });
    if (error.status === 403)
      return new HangarError('k8s_forbidden', { message: sentence(error.message), cause: error });
    return new HangarError('k8s_unreachable', { message: sentence(error.message), cause: error });
  }
  if (error instanceof HangarError && error.code === 'driver_unavailable')
    return new HangarError('k8s_unreachable', {
      message: error.message,
      cause: error,
      // What the table says of drivers is about profiles.
      ...(error.wayOut === ERRORS.driver_unavailable.wayOut ? {} : { wayOut: error.wayOut }),
    });
  return error;
}

/** One line that begins and ends as a sentence. */
function sentence(text: string): string {
  const line = text
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, 600);
  return `${line.slice(0, 1).toUpperCase()}${line.slice(1)}${/[.!?…]$/.test(line) ? '' : '.'}`;
}
