import { DEVICE_GRANT, HangarError, rawOperations } from '@hangar/contract';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isConnectionLoss } from '../../../platform/database/index.ts';
import { type RawRoutes, serveRaw } from '../../../platform/http/routes.ts';
import type { Access } from '../access.ts';
import { issuerOf, OAuthFailure, SCOPE } from './token-issuer.ts';

/** All parameters together are a few hundred bytes. */
const BODY_LIMIT = 16 * 1024;
const operations = rawOperations.access;

/**
 * The OAuth 2.0 token service: /api/auth/device, token, refresh, revoke, jwks.json, and its discovery documents
 * (RFC 8414) at the root. Bodies are forms or JSON; errors are those of the RFCs, not Hangar's own.
 */
export function oauthRoutes(access: Access): RawRoutes {
  return (app) => {
    app.register(async (scope) => {
      tokenRoutes(scope, access);
    });
    discoveryRoutes(app, access);
  };
}

function tokenRoutes(scope: FastifyInstance, access: Access): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_LIMIT }, (_request, body, done) =>
    done(null, body),
  );
  scope.setErrorHandler((error, request, reply) => {
    if (error instanceof OAuthFailure) return refuse(reply, error);
    if (error instanceof HangarError && error.status < 500) {
      return refuse(reply, new OAuthFailure('invalid_request', error.message, { status: error.status }));
    }
    if (isConnectionLoss(error)) {
      return refuse(
        reply,
        new OAuthFailure('temporarily_unavailable', 'The database is out of reach.', { status: 503 }),
      );
    }
    const { statusCode } = error as { statusCode?: unknown };
    if (typeof statusCode === 'number' && statusCode < 500) {
      return refuse(
        reply,
        new OAuthFailure('invalid_request', 'The request is not understood.', { status: statusCode }),
      );
    }
    request.log.error({ err: error, reference: request.id }, 'token request failed');
    return refuse(reply, new OAuthFailure('server_error', `Reference ${request.id}`, { status: 500 }));
  });
  scope.addHook('onRequest', async (request, reply) => {
    noStore(reply);
    // Our clients are public: they have no secret to send (RFC 6749 §2.3, §5.2).
    if (request.headers.authorization?.toLowerCase().startsWith('basic ')) {
      reply.header('www-authenticate', 'Basic realm="hangar"');
      throw new OAuthFailure('invalid_client', 'Clients of this server send client_id and no secret.');
    }
  });

  const { tokens } = access;
  serveRaw(scope, operations.authorizeDevice, (request) => {
    const parameters = parametersOf(request);
    return tokens.authorizeDevice(
      { clientId: parameters.get('client_id'), clientName: parameters.get('client_name') },
      callerOf(request),
    );
  });
  serveRaw(scope, operations.token, (request) => token(request, parametersOf(request)));
  serveRaw(scope, operations.refresh, (request) => {
    const parameters = parametersOf(request);
    return token(request, new Map([['grant_type', 'refresh_token'], ...parameters]));
  });
  serveRaw(scope, operations.revoke, async (request) => {
    const parameters = parametersOf(request);
    await tokens.revoke({ clientId: parameters.get('client_id'), token: parameters.get('token') }, callerOf(request));
    return {};
  });

  function token(request: FastifyRequest, parameters: ReadonlyMap<string, string>) {
    const clientId = parameters.get('client_id');
    const grantType = parameters.get('grant_type');
    switch (grantType) {
      case DEVICE_GRANT:
        return tokens.redeemDeviceCode({ clientId, deviceCode: parameters.get('device_code') }, callerOf(request));
      case 'refresh_token':
        return tokens.refresh({ clientId, refreshToken: parameters.get('refresh_token') }, callerOf(request));
      case undefined:
        throw new OAuthFailure('invalid_request', 'The parameter grant_type is missing.');
      default:
        throw new OAuthFailure('unsupported_grant_type', 'This server grants by device code and refresh token.');
    }
  }
}

function discoveryRoutes(app: FastifyInstance, access: Access): void {
  const issuer = issuerOf(access.publicUrl);
  const path = new URL(issuer).pathname.replace(/\/$/, '');
  const metadata = {
    issuer,
    device_authorization_endpoint: `${issuer}/api/auth/device`,
    token_endpoint: `${issuer}/api/auth/token`,
    revocation_endpoint: `${issuer}/api/auth/revoke`,
    jwks_uri: `${issuer}/api/auth/jwks.json`,
    grant_types_supported: [DEVICE_GRANT, 'refresh_token'],
    response_types_supported: [],
    scopes_supported: [SCOPE],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    service_documentation: `${issuer}/docs`,
  };
  const document = async (_request: FastifyRequest, reply: FastifyReply) => {
    reply.header('cache-control', 'public, max-age=3600');
    return metadata;
  };
  const config = { operation: operations.keys };
  // An issuer with a path has it at the end (RFC 8414 §3.1); clients made for OpenID Connect ask at their own address (§5).
  app.get(`/.well-known/oauth-authorization-server${path}`, { config }, document);
  app.get(`${path}/.well-known/openid-configuration`, { config }, document);
  serveRaw(app, operations.keys, async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=3600').type('application/jwk-set+json');
    return JSON.stringify(await access.keys.published());
  });
}

/** Parameters of a form or a JSON object. None may come twice; empty ones count as left out (RFC 6749 §3.2). */
function parametersOf(request: FastifyRequest): Map<string, string> {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  const body = typeof request.body === 'string' ? request.body : '';
  const pairs = type === 'application/json' ? jsonPairs(body) : [...new URLSearchParams(body)];
  if (body !== '' && type !== 'application/json' && type !== 'application/x-www-form-urlencoded') {
    throw new OAuthFailure('invalid_request', 'The body must be a form or JSON.');
  }
  const parameters = new Map<string, string>();
  for (const [name, value] of pairs) {
    if (parameters.has(name)) throw new OAuthFailure('invalid_request', 'A parameter is there twice.');
    if (value !== '') parameters.set(name, value);
  }
  return parameters;
}

function jsonPairs(body: string): [string, string][] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new OAuthFailure('invalid_request', 'The body is not JSON.');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new OAuthFailure('invalid_request', 'The body is not a JSON object.');
  }
  return Object.entries(parsed).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string' ? [[name, value]] : [],
  );
}

function refuse(reply: FastifyReply, failure: OAuthFailure): FastifyReply {
  noStore(reply);
  if (failure.retryAfterSeconds !== undefined) reply.header('retry-after', failure.retryAfterSeconds);
  return reply
    .status(failure.status)
    .type('application/json; charset=utf-8')
    .send({ error: failure.error, error_description: failure.message });
}

/** RFC 6749 §5.1 */
function noStore(reply: FastifyReply): void {
  reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
}

function callerOf(request: FastifyRequest): { place: string; userAgent: string } {
  return { place: request.ip, userAgent: request.headers['user-agent'] ?? '' };
}
