import { HangarError } from '@hangar/contract';

export interface OriginFacts {
  method: string;
  origin: string | undefined;
  /** The Sec-Fetch-Site header. */
  fetchSite: string | undefined;
  host: string | undefined;
  /** The Cookie header. With one, a request must prove where it comes from; without, it only must not come from elsewhere. */
  cookie?: string | undefined;
}

/**
 * Guards against requests that another site makes a browser send: for every unsafe request that a cookie authenticates,
 * and for those that set one (login CSRF). Programs other than browsers send neither header, and no cookie.
 * @throws HangarError csrf_refused
 */
export function originCheck(o: { publicUrl: string; cookieName: string }): (request: OriginFacts) => void {
  const own = new URL(o.publicUrl).origin;
  return (request) => {
    if (request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS') return;
    if (request.fetchSite === 'same-origin') return;
    if (request.origin === undefined && request.fetchSite === undefined) {
      if (!request.cookie?.includes(`${o.cookieName}=`)) return;
    } else if (request.origin !== undefined) {
      if (request.origin === own) return;
      if (request.host !== undefined && hostOf(request.origin) === request.host.toLowerCase()) return;
    }
    throw new HangarError('csrf_refused');
  };
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
