import { randomUUID } from 'node:crypto';
import helmet from '@fastify/helmet';
import { fromWire, HangarError, metaOf, PEOPLE_IDENTITIES, type RawOperation, toWire } from '@hangar/contract';
import { OpenAPIHandler } from '@orpc/openapi/fastify';
import { type AnyRouter, ORPCError, traverseContractProcedures } from '@orpc/server';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Logger } from 'pino';
import { compressJson } from './compress.ts';
import { asHangarError } from './errors.ts';
import { allow, type Identify, type RequestContext, type WayToIdentify } from './identity.ts';
import { pageFor } from './pages.ts';
import { isKnown, type RawRoutes } from './routes.ts';
import { type CallerWatch, createCallerWatch } from './still-allowed.ts';
import { acceptWebSockets } from './web-sockets.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for every request below /api before its handler runs. */
    caller: RequestContext;
    /**
     * Calls back once when who sent this request would be let in no longer, or not as who they were: for answers that go on for
     * long. Returns the function that ends the watch. There when somebody is signed in.
     */
    whenShutOut: ((end: () => void) => () => void) | undefined;
  }
  interface FastifyContextConfig {
    /** What is served. A route below /api without it is refused at start. `contract`: each operation says it by its meta. */
    operation?: RawOperation | 'contract';
  }
}

export interface AppParts {
  readonly router: AnyRouter;
  readonly rawRoutes: readonly RawRoutes[];
  /** Who a person is; also asked whether they would still be let in. */
  readonly identify: Identify;
  /** Who calls that is no person. */
  readonly otherWays?: readonly WayToIdentify[];
  /** Ends what goes on for long when its caller is let in no longer. One of its own when left out, which looks from time to time. */
  readonly callers?: CallerWatch;
  /** Throws csrf_refused when a request with a cookie does not come from this site. */
  readonly refuseForeignOrigin: (request: {
    method: string;
    origin: string | undefined;
    fetchSite: string | undefined;
    host: string | undefined;
    cookie: string | undefined;
  }) => void;
  readonly log: Logger;
  /** The server is about to stop: connections are not kept. */
  readonly isDraining: () => boolean;
  /** All that is said, so many proxies from here on, or those at these addresses. */
  readonly trustProxy: boolean | number | string[];
  readonly secure: boolean;
  /** The built web app; null when it is not there. */
  readonly webDir: string | null;
}

/** A request whose body stops coming for so long is from somebody who is gone; nothing else would end it. */
const BODY_SILENCE_MS = 120_000;
/** Largest body of a contract route: a spec of 1 MiB, escaped as JSON, and room for the rest. */
const BODY_LIMIT = 8 * 1024 * 1024;

/**
 * The HTTP side of the server: identity, CSRF, errors and the contract under /api. Listens on nothing.
 * Every route is authenticated by the meta of its operation, through `allow`.
 */
export async function createApp(parts: AppParts): Promise<FastifyInstance> {
  const { log, trustProxy: trust } = parts;
  const logger: FastifyBaseLogger = log.child({ part: 'http' });
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    trustProxy: typeof trust === 'number' ? (_address, hop) => hop < trust : trust,
    genReqId: () => randomUUID(),
    frameworkErrors: (error, request, reply) => {
      sendError(reply, asHangarError(error, request.id, log), request.id);
    },
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    // Requests in hand are answered before a server ends; who comes on a kept connection meanwhile is served, and told to leave it.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 500 },
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    strictTransportSecurity: parts.secure ? { maxAge: 15_552_000 } : false,
    referrerPolicy: { policy: 'same-origin' },
    crossOriginEmbedderPolicy: false,
    crossOriginOpenerPolicy: parts.secure ? { policy: 'same-origin' } : false,
    originAgentCluster: false,
  });

  app.setErrorHandler((error, request, reply) => sendError(reply, asHangarError(error, request.id, log), request.id));
  app.setNotFoundHandler((request, reply) => {
    const page = pageFor(parts.webDir, request);
    if (page) {
      if (page.encoding !== null) reply.header('content-encoding', page.encoding);
      return reply
        .type('text/html; charset=utf-8')
        .header('cache-control', 'no-cache')
        .header('vary', 'accept-encoding')
        .send(page.body);
    }
    return sendError(
      reply,
      new HangarError('route_not_found', { message: `There is no ${request.method} ${request.url.split('?')[0]}.` }),
      request.id,
    );
  });
  app.addHook('onRoute', (route) => {
    const operation = route.config?.operation;
    if (!/^\/api(\/|$)/.test(route.url) || operation === 'contract') return;
    // The public address may have a path that begins with /api, and its discovery document stands below it.
    const isDiscovery =
      route.url.endsWith('/.well-known/openid-configuration') && operation?.meta.identities === 'public';
    if (!isDiscovery && !(operation && isKnown(operation, route)))
      throw new Error(`${route.method} ${route.url} is no operation of the contract`);
  });

  // Before whatever refuses: the connection of a socket that is refused ends with the answer.
  await acceptWebSockets(app);
  app.addHook('onRequest', async ({ raw }) => {
    if (raw.headers['content-length'] === undefined && raw.headers['transfer-encoding'] === undefined) return;
    raw.setTimeout(BODY_SILENCE_MS, () => raw.destroy(new Error('The body stopped coming')));
    raw.once('end', () => raw.setTimeout(0));
  });
  app.addHook('onRequest', async (_request, reply) => {
    if (parts.isDraining()) reply.header('connection', 'close');
  });
  app.decorateRequest('caller');
  app.decorateRequest('whenShutOut', undefined);
  const callers = parts.callers ?? createCallerWatch({ identify: parts.identify, log });
  app.addHook('onRequest', async (request, reply) => {
    // By the route that was found, not by the text of the URL: %61pi is api, too.
    const { operation } = request.routeOptions.config ?? {};
    if (operation !== undefined) await authenticate(parts, callers, operation, request, reply);
  });

  for (const register of parts.rawRoutes) await app.register(async (scope) => register(scope));
  await app.register(async (scope) => contractRoutes(scope, parts));
  return app;
}

async function authenticate(
  parts: AppParts,
  callers: CallerWatch,
  operation: RawOperation | 'contract',
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const cookies: string[] = [];
  const abort = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) abort.abort();
  });
  const { authorization, cookie, origin, host } = request.headers;
  const userAgent = request.headers['user-agent'] ?? '';
  const caller = {
    identity: null as RequestContext['identity'],
    everybody: false,
    place: request.ip,
    userAgent,
    cookie,
    idempotencyKey: one(request.headers['idempotency-key']),
    requestId: request.id,
    signal: abort.signal,
    setCookie(header: string) {
      cookies.push(header);
      reply.header('set-cookie', cookies);
    },
  };
  request.caller = caller;
  reply.header('x-request-id', request.id);
  reply.header('cache-control', 'no-store');
  // A page of another site can open a WebSocket with the cookie of this one, and no browser asks before.
  const method = operation !== 'contract' && operation.webSocket !== undefined ? 'UPGRADE' : request.method;
  if (method !== 'GET' && method !== 'HEAD' && authorization === undefined) {
    parts.refuseForeignOrigin({
      method,
      origin,
      fetchSite: one(request.headers['sec-fetch-site']),
      host,
      cookie,
    });
  }
  const identities = operation === 'contract' ? PEOPLE_IDENTITIES : operation.meta.identities;
  if (identities === 'public') return;
  const asked = { authorization, cookie, place: request.ip, userAgent };
  const people = { kinds: PEOPLE_IDENTITIES, identify: parts.identify };
  const ways = [people, ...(parts.otherWays ?? [])].filter(({ kinds }) =>
    kinds.some((kind) => identities.includes(kind)),
  );
  for (const way of ways) caller.identity ??= await way.identify(asked);
  const { identity } = caller;
  if (identity && identity.kind !== 'worker') request.whenShutOut = (end) => callers.watch(asked, identity, end);
  // An operation of the contract is known once its router has found it, and is checked there.
  if (operation !== 'contract') caller.everybody = allow(identity, operation.meta);
}

function contractRoutes(scope: FastifyInstance, parts: AppParts): void {
  const { log } = parts;
  traverseContractProcedures({ router: parts.router, path: [] }, ({ contract, path }) => {
    // The way by which workers are known is not asked for what the contract's router serves.
    if (metaOf(contract).identities.includes('worker'))
      throw new Error(`${path.join('.')} is for a worker: make it a raw operation`);
  });
  scope.addHook('onSend', compressJson);
  const handler = new OpenAPIHandler<RequestContext>(parts.router, {
    customErrorResponseBodyEncoder: (error) =>
      error.data === undefined ? toWire(asHangarError(error, '-', log)) : undefined,
    rootInterceptors: [
      async ({ next }) => {
        const result = await next();
        const wait = result.matched ? fromWire(result.response.body)?.details?.retryAfterSeconds : undefined;
        if (result.matched && typeof wait === 'number')
          result.response.headers['retry-after'] = String(Math.ceil(wait));
        return result;
      },
    ],
    clientInterceptors: [
      async ({ next, ...call }) => {
        const { context, procedure } = call;
        const { identity, requestId } = context as RequestContext;
        try {
          return await next({ ...call, context: { ...context, everybody: allow(identity, metaOf(procedure)) } });
        } catch (error) {
          throw asOrpc(asHangarError(error, requestId, log), requestId);
        }
      },
    ],
  });
  scope.route({
    method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '/api/*',
    config: { operation: 'contract' },
    handler: async (request, reply) => {
      const { matched } = await handler.handle(request, reply, { prefix: '/api', context: request.caller });
      if (!matched)
        throw new HangarError('route_not_found', {
          message: `There is no ${request.method} ${request.url.split('?')[0]}.`,
        });
    },
  });
}

function asOrpc(error: HangarError, reference: string): ORPCError<string, unknown> {
  const wire = toWire(error, reference);
  return new ORPCError(error.code, { status: error.status, message: error.message, data: wire.data, cause: error });
}

/** What said how the bytes of a download are to be read; it does not hold for the error that comes in their place. */
const OF_A_DOWNLOAD = ['content-encoding', 'content-length', 'content-disposition', 'etag'];

export function sendError(reply: FastifyReply, error: HangarError, reference: string): void {
  const retryAfter = error.details?.retryAfterSeconds;
  if (typeof retryAfter === 'number') reply.header('retry-after', Math.ceil(retryAfter));
  // A connection kept open after it would be one of those the server has too many of.
  if (error.code === 'open_files_exhausted') reply.header('connection', 'close');
  for (const name of OF_A_DOWNLOAD) {
    reply.removeHeader(name);
    if (!reply.raw.headersSent) reply.raw.removeHeader(name);
  }
  reply.status(error.status).type('application/json; charset=utf-8').send(toWire(error, reference));
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
