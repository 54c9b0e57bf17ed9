import type { Contract } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { ContractRouterClient } from '@orpc/contract';
import type { JsonifiedClient } from '@orpc/openapi-client';
import type { Answer, Call } from './http.ts';
import { OPERATIONS } from './operations.ts';

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
  const [method = '', template = ''] = route.split(' ');
  return async (input = {}, { context } = {}) => {
    const rest = { ...input };
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = String(rest[name]);
      delete rest[name];
      return encodeURIComponent(value);
    });
    const answer =
      method === 'GET'
        ? await request(`${path}${queryOf(rest)}`, { method, repeatable: true })
        : await request(path, {
            method,
            ...(path === template || Object.keys(rest).length > 0 ? jsonBody(rest) : {}),
            repeatable: context?.repeatable === true,
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

const jsonBody = (fields: object) => ({
  headers: { 'content-type': 'application/json' },
  body: () => JSON.stringify(fields),
});

/** Lists as `state[0]=…`, the bracket form the server reads; what is undefined is left out. */
function queryOf(fields: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (Array.isArray(value))
      for (const [index, item] of value.entries()) query.append(`${name}[${index}]`, String(item));
    else if (value !== undefined && value !== null) query.append(name, String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
