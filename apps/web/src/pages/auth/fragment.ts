import { useState } from 'react';

/** The token of `#token=…`; it is never sent to the server as part of an address. Null when there is none. */
export function useFragmentToken(): string | null {
  const [token] = useState(() => location.hash.slice(1) || null);
  return token;
}

/** A path on this server to go to after sign-in; anything else leads to the jobs. */
export const localPath = (next: string | undefined): string =>
  next !== undefined && /^\/(?![/\\])/.test(next) ? next : '/jobs';
