import { contract } from '@hangar/contract';
import { implement } from '@orpc/server';
import type { FastifyInstance } from 'fastify';
import type { RequestContext } from './identity.ts';

/**
 * The contract, ready to be implemented: `api.profiles.get.handler(({ input, context }) => …)`.
 * Who may call is checked from the contract's meta before a handler runs; a handler only translates.
 */
export const api = implement(contract).$context<RequestContext>();

/** Adds routes where bytes matter, below `/api`. `request.caller` is the context; `config: { identities, admin? }` is obligatory. */
export type RawRoutes = (app: FastifyInstance) => void | Promise<void>;
