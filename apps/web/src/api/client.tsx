import type { Contract, Me } from '@hangar/contract';
import { fromWire } from '@hangar/contract/errors';
import { OPERATIONS } from '@hangar/contract/operations';
import { requestOf } from '@hangar/contract/request';
import type { ContractRouterClient } from '@orpc/contract';
import { createTanstackQueryUtils } from '@orpc/tanstack-query';
import { useQuery } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext } from 'react';
import { asHangarError } from './errors.ts';
import { type Loadable, loadable } from './loadable.ts';

/** Trying out a profile may take a minute. */
const ANSWER_MS = 120_000;

export type Client = ContractRouterClient<Contract>;
type Operation = (input?: Readonly<Record<string, unknown>>, options?: { signal?: AbortSignal }) => Promise<unknown>;

/**
 * The client of this page's server: the same public REST routes as anyone's, with the cookie of the session.
 * Every call rejects with a HangarError. The schemas of the contract are types here and nothing else: the server checks what it
 * takes and gives, and loading them would be a third of the page.
 */
export function createApi(origin: string, fetcher: typeof fetch = fetch) {
  const groups = Object.entries(OPERATIONS).map(([group, operations]) => [
    group,
    Object.fromEntries(Object.entries(operations).map(([name, route]) => [name, operation(origin, fetcher, route)])),
  ]);
  return createTanstackQueryUtils(Object.fromEntries(groups) as Client);
}

function operation(origin: string, fetcher: typeof fetch, route: string): Operation {
  return async (input, { signal } = {}) => {
    const { method, path, body } = requestOf(route, input);
    // Over a dead connection an answer would be waited for as long as the page is open.
    const deadline = AbortSignal.timeout(ANSWER_MS);
    try {
      const answer = await fetcher(`${origin}/api${path}`, {
        method,
        credentials: 'same-origin',
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body }),
      });
      if (!answer.ok) throw fromWire(await answer.json().catch(() => null)) ?? asHangarError({ status: answer.status });
      const text = await answer.text();
      return text === '' ? undefined : JSON.parse(text);
    } catch (error) {
      throw asHangarError(error);
    }
  };
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

/** Who is signed in, with plan and use. */
export function useMe(): Loadable<Me> {
  const api = useApi();
  return loadable(useQuery(api.access.me.queryOptions({ input: {}, staleTime: 60_000 })));
}
