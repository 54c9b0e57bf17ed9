import { contract, HangarError, type RawOperation, rawOperations } from '@hangar/contract';
import { implement } from '@orpc/server';
import type { FastifyInstance, RouteHandlerMethod, RouteOptions } from 'fastify';
import type { z } from 'zod';
import type { RequestContext } from './identity.ts';

/**
 * The contract, ready to be implemented: `api.profiles.get.handler(({ input, context }) => …)`.
 * Who may call is checked from the contract's meta before a handler runs; a handler only translates.
 */
export const api = implement(contract).$context<RequestContext>();

/** Adds routes where bytes matter, each by `serveRaw`. `request.caller` is the context. */
export type RawRoutes = (app: FastifyInstance) => void | Promise<void>;

/** Serves an operation of `rawOperations`: method, path and who may call it come from there. */
export function serveRaw(
  app: FastifyInstance,
  operation: RawOperation,
  handler: RouteHandlerMethod,
  more: Pick<RouteOptions, 'bodyLimit'> = {},
): void {
  app.route({ ...more, method: operation.method, url: urlOf(operation), config: { operation }, handler });
}

export const urlOf = ({ path }: RawOperation): string =>
  `/api${path.replace(/\{\+\w+\}/g, '*').replace(/\{(\w+)\}/g, ':$1')}`;

const KNOWN: ReadonlySet<unknown> = new Set(Object.values(rawOperations).flatMap((group) => Object.values(group)));

/** Whether a route stands in the table as it is served; what answers GET answers HEAD. */
export const isKnown = (operation: RawOperation, { method, url }: Pick<RouteOptions, 'method' | 'url'>): boolean =>
  KNOWN.has(operation) &&
  urlOf(operation) === url &&
  (method === operation.method || (method === 'HEAD' && operation.method === 'GET'));

/** Checks what a raw route was given. @throws HangarError validation_failed, naming the fields */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), message: issue.message }));
  const first = issues[0];
  throw new HangarError('validation_failed', {
    message: `${first?.field ? `${first.field}: ` : ''}${first?.message}`,
    details: { issues },
  });
}
