import { type ErrorCode, type Failure, HangarError } from '@hangar/contract';
import { isCut } from '../../../platform/waits.ts';

const REASON_MOST = 2_000;

/** What may be otherwise in a moment, whatever anybody does. */
const PASSES: ReadonlySet<ErrorCode> = new Set([
  ...(['driver_unavailable', 'driver_busy', 'connection_lost', 'cluster_not_connected'] as const),
  ...(['keychain_failed', 'database_unavailable', 'blob_store_unavailable'] as const),
]);
export const passes = (error: unknown): boolean =>
  isCut(error) || (error instanceof HangarError && PASSES.has(error.code));

/** What nobody can mend where it happened: the driver has no such call, or what it is called with is gone. */
const FOR_GOOD: ReadonlySet<ErrorCode> = new Set([
  ...(['unsupported', 'validation_failed', 'bad_request', 'profile_not_found'] as const),
]);
export const isForGood = (error: unknown): boolean => error instanceof HangarError && FOR_GOOD.has(error.code);

/** As a row keeps it. What nobody foresaw has its words in the server log alone. */
export function failureOf(error: unknown, otherwise: ErrorCode = 'internal'): Failure & { readonly code: ErrorCode } {
  const known = error instanceof HangarError ? error : new HangarError(otherwise, { cause: error });
  return { code: known.code, message: known.message.slice(0, REASON_MOST), wayOut: known.wayOut };
}
