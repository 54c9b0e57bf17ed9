import type { OAuthError } from '@hangar/contract';

/** An answer of the token service that is not a token, as RFC 6749 §5.2 and RFC 8628 §3.5 word it. */
export class OAuthFailure extends Error {
  readonly error: OAuthError['error'];
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    error: OAuthError['error'],
    description: string,
    options: { status?: number; retryAfterSeconds?: number } = {},
  ) {
    super(description);
    this.name = 'OAuthFailure';
    this.error = error;
    this.status = options.status ?? (error === 'invalid_client' ? 401 : 400);
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}
