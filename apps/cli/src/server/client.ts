import type { Contract } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { OPERATIONS } from '@hangar/contract/operations';
import { requestOf } from '@hangar/contract/request';
import type { ContractRouterClient } from '@orpc/contract';
import type { JsonifiedClient } from '@orpc/openapi-client';
import type { Answer, Call } from './http.ts';

/** A POST that carries an idempotency key may be sent again when the connection breaks. */
export interface CallContext {
  readonly repeatable?: boolean;
}
/** The operations of the contract, in its types. */
export type Client = JsonifiedClient<ContractRouterClient<Contract, CallContext>>;

type Request = (path: string, call: Call) => Promise<Answer>;
type Operation = (input?: Readonly<Record<string, unknown>>, options?: { context?: CallContext }) => Promise<unknown>;

/**
 * Calls operations by method and path alone. The schemas of the contract are types here and nothing else: the server checks what
 * it takes and gives, and loading them takes four times as long as a whole `hangar status`.
 */
export function createClient(request: Request): Client {
  const groups = Object.entries(OPERATIONS).map(([group, operations]) => [
    group,
    Object.fromEntries(Object.entries(operations).map(([name, route]) => [name, operation(request, route)])),
  ]);
  return Object.fromEntries(groups) as Client;
}

function operation(request: Request, route: string): Operation {
  return async (input, { context } = {}) => {
    const { method, path, body } = requestOf(route, input);
    const answer = await request(path, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: () => body }),
      repeatable: method === 'GET' || context?.repeatable === true,
    });
    const text = await answer.text();
    try {
      return text === '' ? undefined : JSON.parse(text);
    } catch (cause) {
      throw new HangarError('server_unreachable', {
        message: `What answers ${route} is not a Hangar server.`,
        wayOut: 'Check the address: --server URL or HANGAR_SERVER.',
        cause,
      });
    }
  };
}
