import { type Contract, contract } from '@hangar/contract';
import { createORPCClient } from '@orpc/client';
import type { ContractRouterClient } from '@orpc/contract';
import { OpenAPILink } from '@orpc/openapi-client/fetch';
import { createTanstackQueryUtils } from '@orpc/tanstack-query';
import { createContext, type ReactNode, useContext } from 'react';
import { asHangarError } from './errors.ts';

/** Trying out a profile may take a minute. */
const ANSWER_MS = 120_000;

export type Client = ContractRouterClient<Contract>;

/**
 * The client of this page's server: the same public REST routes as anyone's, with the cookie of the session.
 * Every call rejects with a HangarError.
 */
export function createApi(origin: string, fetcher: typeof fetch = fetch) {
  const link = new OpenAPILink(contract, {
    url: `${origin}/api`,
    fetch: (request, init) =>
      fetcher(request, {
        ...init,
        credentials: 'same-origin',
        // Over a dead connection an answer would be waited for as long as the page is open.
        signal: AbortSignal.any([request.signal, AbortSignal.timeout(ANSWER_MS)]),
      }),
    interceptors: [
      async (options) => {
        try {
          return await options.next();
        } catch (error) {
          throw asHangarError(error);
        }
      },
    ],
  });
  const client: Client = createORPCClient(link);
  return createTanstackQueryUtils(client);
}

export type Api = ReturnType<typeof createApi>;

const ApiContext = createContext<Api | null>(null);

export function ApiProvider({ api, children }: { api: Api; children: ReactNode }) {
  return <ApiContext value={api}>{children}</ApiContext>;
}

/** Query and mutation options of each operation: `useQuery(api.jobs.list.queryOptions({ input: {} }))`. */
export function useApi(): Api {
  const api = useContext(ApiContext);
  if (!api) throw new Error('useApi needs an ApiProvider above it');
  return api;
}
