import { useState } from 'react';

/** The token behind the `#` of a link (`#TOKEN` or `#token=TOKEN`): it is never sent to a server as part of an address. */
export function useFragmentToken(): string | null {
  const [token] = useState(() => location.hash.replace(/^#(token=)?/, '') || null);
  return token;
}

/** A path on this server to go to after sign-in; anything else leads to the jobs. */
export const localPath = (next: string | undefined): string =>
  next !== undefined && /^\/(?![/\\])/.test(next) ? next : '/jobs';
