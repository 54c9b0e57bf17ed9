import type { Contract } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { IDEMPOTENT, OPERATIONS } from '@hangar/contract/operations';
import { requestOf } from '@hangar/contract/request';
import type { ContractRouterClient } from '@orpc/contract';
import type { JsonifiedClient } from '@orpc/openapi-client';
import type { Answer, Call } from './http.ts';

/** The operations of the contract, in its types. */
export type Client = JsonifiedClient<ContractRouterClient<Contract>>;

type Request = (path: string, call: Call) => Promise<Answer>;
type Operation = (input?: Readonly<Record<string, unknown>>) => Promise<unknown>;

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

/** What is done before it is answered, and may take its time. */
const LONG_MS: Readonly<Record<string, number>> = { [OPERATIONS.sandboxes.diff]: 11 * 60_000 };

function operation(request: Request, route: string): Operation {
  return async (input) => {
    const { method, path, body } = requestOf(route, input);
    const answer = await request(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        // One key for all tries: a second one whose answer got lost is the same job. A key in the body counts more.
        ...(IDEMPOTENT[route] === 'key' ? { 'idempotency-key': crypto.randomUUID() } : {}),
      },
      ...(body === undefined ? {} : { body: () => body }),
      ...(LONG_MS[route] === undefined ? {} : { timeoutMs: LONG_MS[route] }),
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
