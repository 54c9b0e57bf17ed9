import { OAUTH_CLIENT_ID, OAuthError, TokenAnswer } from '@hangar/contract';
import type { Answer } from './http.ts';
import type { Tokens } from './sign-ins.ts';

/** What the token service answered: tokens, or one of the errors of RFC 6749 §5.2 and RFC 8628 §3.5. */
export type TokenResult =
  | { ok: true; tokens: Tokens }
  | { ok: false; error: OAuthError['error']; description?: string };

/** RFC 6749 §4: a form with the client's name, and the service's answer read strictly. Null when it is no OAuth answer. */
export async function readTokenAnswer(response: Answer): Promise<TokenResult | null> {
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) {
    const answer = TokenAnswer.safeParse(body);
    if (!answer.success) return null;
    const { access_token, refresh_token, expires_in } = answer.data;
    return {
      ok: true,
      tokens: {
        kind: 'device',
        accessToken: access_token,
        refreshToken: refresh_token,
        expiresAt: new Date(Date.now() + expires_in * 1000).toISOString(),
      },
    };
  }
  const failed = OAuthError.safeParse(body);
  if (!failed.success) return null;
  const { error, error_description } = failed.data;
  return { ok: false, error, ...(error_description === undefined ? {} : { description: error_description }) };
}

export const oauthForm = (fields: Readonly<Record<string, string>>): URLSearchParams =>
  new URLSearchParams({ client_id: OAUTH_CLIENT_ID, ...fields });
