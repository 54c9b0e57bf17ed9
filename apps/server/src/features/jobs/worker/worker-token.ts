import { createHmac } from 'node:crypto';
import type { Identity, WayToIdentify } from '../../../platform/http/identity.ts';
import { sameToken } from '../../../platform/secrets/index.ts';

/** The setting with the key that worker tokens are made with, sealed. */
export const WORKER_TOKEN_KEY = 'worker.token.key';

export interface WorkerIdentity {
  readonly jobId: string;
  readonly attempt: number;
}

/**
 * Worker tokens are derived, not stored: the same attempt always has the same token, so a launch may be repeated after a crash,
 * and no table holds one. `hgw_<job>.<attempt>.<HMAC-SHA-256>`.
 */
export function workerTokens(key: Uint8Array) {
  const mac = (jobId: string, attempt: number) =>
    createHmac('sha256', key).update(`${jobId}.${attempt}`).digest('base64url');
  return {
    issue: (jobId: string, attempt: number): string => `hgw_${jobId}.${attempt}.${mac(jobId, attempt)}`,
    kinds: ['worker'],
    async identify({ authorization }): Promise<Identity | null> {
      const match = /^Bearer hgw_(j_[0-9a-z]{6,40})\.(\d{1,9})\.([A-Za-z0-9_-]{43})$/.exec(authorization ?? '');
      const [, jobId, attempt, given] = match ?? [];
      if (!jobId || !attempt || !given || !sameToken(given, mac(jobId, Number(attempt)))) return null;
      return { kind: 'worker', worksFor: jobId, attempt: Number(attempt) };
    },
  } satisfies WayToIdentify & { issue: unknown };
}
