import { IDEMPOTENT } from './operations.ts';

/** What a call of an operation is over HTTP. */
export interface OperationRequest {
  readonly method: string;
  /** Under /api, with the query. */
  readonly path: string;
  /** JSON; undefined where nothing is sent. */
  readonly body: string | undefined;
}

/**
 * Makes the request of a route of OPERATIONS from method and path alone, so that a caller needs no schema: the server checks what
 * it takes and gives. Fields the path names go into it, the others into the query of a GET or into the body.
 */
export function requestOf(route: string, input: Readonly<Record<string, unknown>> = {}): OperationRequest {
  const { method, template, path, rest } = placed(route, input);
  if (method === 'GET') return { method, path: `${path}${queryOf(rest)}`, body: undefined };
  const hasBody = path === template || Object.keys(rest).length > 0;
  return { method, path, body: hasBody ? JSON.stringify(rest) : undefined };
}

/** The path of a route, and what of the input has no place in it. */
export function placed(route: string, input: Readonly<Record<string, unknown>>) {
  const [method = '', template = ''] = route.split(' ');
  const rest = { ...input };
  const path = template.replace(/\{\+?(\w+)\}/g, (_, name: string) => {
    const value = String(rest[name]);
    delete rest[name];
    return encodeURIComponent(value);
  });
  return { method, template, path, rest };
}

/** Whether a request may be sent again when its answer got lost, by what the contract says of the operation. */
export function isRepeatable(method: string, path: string, hasKey: boolean): boolean {
  if (method === 'GET') return true;
  const asked = path.replace(/\?.*$/, '').split('/');
  const isAsked = (route: string): boolean => {
    const parts = route.split(' ')[1]?.split('/') ?? [];
    if (parts.length !== asked.length || !route.startsWith(`${method} `)) return false;
    return parts.every((part, index) => part.startsWith('{') || part === asked[index]);
  };
  const idempotent = Object.entries(IDEMPOTENT).find(([route]) => isAsked(route))?.[1];
  return idempotent === true || (idempotent === 'key' && hasKey);
}

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
