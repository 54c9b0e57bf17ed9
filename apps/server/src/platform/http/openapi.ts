import {
  ClaimInput,
  ClusterLiveQuery,
  contract,
  DeviceAuthorization,
  Finish,
  Heartbeat,
  LogAck,
  LogBatch,
  LogPage,
  LogQuery,
  OAuthError,
  type OperationMeta,
  Orders,
  PodLogQuery,
  Report,
  TokenAnswer,
  Upload,
  VERSION,
  WorkOrder,
} from '@hangar/contract';
import { OpenAPIGenerator } from '@orpc/openapi';
import { ZodToJsonSchemaConverter } from '@orpc/zod/zod4';
import { z } from 'zod';

interface RawOperation {
  readonly method: 'get' | 'post' | 'put';
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly security?: 'none' | 'worker';
  readonly parameters?: readonly {
    name: string;
    in: 'path' | 'query' | 'header';
    schema: Record<string, unknown>;
    description?: string;
  }[];
  readonly query?: z.ZodObject;
  readonly body?: { type: string; schema: z.ZodType | 'binary' };
  readonly answers: Readonly<
    Record<number, { description: string; type?: string | readonly string[]; schema?: z.ZodType | 'binary' | 'text' }>
  >;
}

/** How every error looks; docs/errors.md has the codes. `toWire` of the contract writes it. */
const ErrorAnswer = z.object({
  defined: z.boolean(),
  code: z.string().describe('A code of docs/errors.md'),
  status: z.number().int(),
  message: z.string(),
  data: z.object({
    kind: z.string(),
    wayOut: z.string().describe('What to do next'),
    reference: z.string().optional().describe('Of this request in the log of the server'),
    details: z.record(z.string(), z.unknown()).optional(),
  }),
});

const errorAnswers = (content: Record<string, unknown>) => ({
  '4XX': { description: 'Refused: what was asked is wrong, not allowed, not there, or too much', content },
  '503': {
    description: 'Something behind the server is out of reach; the same request may work a moment later',
    content,
  },
});
const hangarErrors = errorAnswers({ 'application/json': { schema: { $ref: '#/components/schemas/Error' } } });
const rfcErrors = errorAnswers({ 'application/json': { schema: schemaOf(OAuthError, 'output') } });

const idParameter = { name: 'id', in: 'path', schema: { type: 'string' } } as const;
const oauthErrors = {
  400: { description: 'As RFC 6749 §5.2 and RFC 8628 §3.5 say', type: 'application/json', schema: OAuthError },
  401: { description: 'Unknown client', type: 'application/json', schema: OAuthError },
} as const;
const done = {
  200: { description: 'Done', type: 'application/json', schema: z.object({ done: z.literal(true) }) },
} as const;
const form = (schema: z.ZodType) => ({ type: 'application/x-www-form-urlencoded', schema });

/** Routes where bytes or RFCs matter. They are served raw, and described here from the same schemas that check them. */
const RAW: readonly RawOperation[] = [
  {
    method: 'get',
    path: '/jobs/{id}/logs',
    summary: 'The log of a job: a page, a live stream (SSE), or all of it as text or gzip',
    tag: 'jobs',
    parameters: [
      idParameter,
      {
        name: 'Last-Event-ID',
        in: 'header',
        schema: { type: 'string' },
        description: 'SSE only: go on after this line',
      },
    ],
    query: LogQuery,
    answers: {
      200: {
        description: 'JSON; text/event-stream when following; text/plain or application/gzip by format',
        type: 'application/json',
        schema: LogPage,
      },
    },
  },
  {
    method: 'get',
    path: '/jobs/{id}/artifacts/diff',
    summary: 'The diff of a job',
    tag: 'jobs',
    parameters: [idParameter],
    answers: { 200: { description: 'A binary git diff', type: 'text/plain', schema: 'text' } },
  },
  {
    method: 'get',
    path: '/jobs/{id}/artifacts/{name}',
    summary: 'An artifact of a job',
    tag: 'jobs',
    parameters: [idParameter, { name: 'name', in: 'path', schema: { type: 'string' } }],
    answers: {
      200: {
        description: 'The bytes; of the diff as text',
        type: ['application/octet-stream', 'text/plain'],
        schema: 'binary',
      },
    },
  },
  {
    method: 'post',
    path: '/uploads',
    summary: 'Send a git bundle or patch for a job',
    tag: 'jobs',
    body: { type: 'application/octet-stream', schema: 'binary' },
    answers: { 201: { description: 'Stored', type: 'application/json', schema: Upload } },
  },
  {
    method: 'get',
    path: '/events',
    summary: 'What changes, live (SSE)',
    tag: 'system',
    answers: { 200: { description: 'Frames with event job or activity', type: 'text/event-stream', schema: 'text' } },
  },
  {
    method: 'get',
    path: '/devops/activity/events',
    summary: 'Activity, live (SSE)',
    tag: 'activity',
    answers: { 200: { description: 'Frames with event activity', type: 'text/event-stream', schema: 'text' } },
  },
  {
    method: 'get',
    path: '/k8s/live',
    summary: 'What a page of the cluster shows, whenever it changes (SSE)',
    tag: 'kubernetes',
    query: ClusterLiveQuery,
    answers: {
      200: {
        description: 'Frames with event health, nodes, pods or failed',
        type: 'text/event-stream',
        schema: 'text',
      },
    },
  },
  {
    method: 'get',
    path: '/k8s/pods/{namespace}/{name}/log',
    summary: 'What a container prints: its last lines as text, or live (SSE)',
    tag: 'kubernetes',
    parameters: [
      { name: 'namespace', in: 'path', schema: { type: 'string' } },
      { name: 'name', in: 'path', schema: { type: 'string' } },
      {
        name: 'Last-Event-ID',
        in: 'header',
        schema: { type: 'string' },
        description: 'SSE only: go on after this frame',
      },
    ],
    query: PodLogQuery,
    answers: {
      200: { description: 'text/plain; text/event-stream when following', type: 'text/plain', schema: 'text' },
    },
  },
  {
    method: 'post',
    path: '/auth/device',
    summary: 'Begin a device login (RFC 8628 §3.1)',
    tag: 'access',
    security: 'none',
    body: form(z.object({ client_id: z.string(), scope: z.string().optional() })),
    answers: {
      200: { description: 'Codes to show', type: 'application/json', schema: DeviceAuthorization },
      ...oauthErrors,
    },
  },
  {
    method: 'post',
    path: '/auth/token',
    summary: 'Redeem a device code or a refresh token (RFC 6749 §6, RFC 8628 §3.4)',
    tag: 'access',
    security: 'none',
    body: form(
      z.object({
        grant_type: z.string(),
        client_id: z.string(),
        device_code: z.string().optional(),
        refresh_token: z.string().optional(),
      }),
    ),
    answers: { 200: { description: 'Tokens', type: 'application/json', schema: TokenAnswer }, ...oauthErrors },
  },
  {
    method: 'post',
    path: '/auth/refresh',
    summary: 'Redeem a refresh token; grant_type may be left out',
    tag: 'access',
    security: 'none',
    body: form(z.object({ refresh_token: z.string(), client_id: z.string().optional() })),
    answers: { 200: { description: 'Tokens', type: 'application/json', schema: TokenAnswer }, ...oauthErrors },
  },
  {
    method: 'post',
    path: '/auth/revoke',
    summary: 'Revoke a token and its family (RFC 7009)',
    tag: 'access',
    security: 'none',
    body: form(
      z.object({ token: z.string(), client_id: z.string().optional(), token_type_hint: z.string().optional() }),
    ),
    answers: { 200: { description: 'Revoked, or never known' }, ...oauthErrors },
  },
  {
    method: 'get',
    path: '/auth/jwks.json',
    summary: 'Keys that sign access tokens (RFC 7517)',
    tag: 'access',
    security: 'none',
    answers: {
      200: {
        description: 'A JWK set',
        type: 'application/jwk-set+json',
        schema: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }),
      },
    },
  },
  {
    method: 'post',
    path: '/worker/claim',
    summary: 'Take the work order',
    tag: 'worker',
    security: 'worker',
    body: { type: 'application/json', schema: ClaimInput },
    answers: { 200: { description: 'The work order', type: 'application/json', schema: WorkOrder } },
  },
  {
    method: 'get',
    path: '/worker/uploads/{which}',
    summary: 'The bundle or patch of the job',
    tag: 'worker',
    security: 'worker',
    parameters: [{ name: 'which', in: 'path', schema: { enum: ['bundle', 'patch'] } }],
    answers: { 200: { description: 'The bytes', type: 'application/octet-stream', schema: 'binary' } },
  },
  {
    method: 'post',
    path: '/worker/logs',
    summary: 'Send a batch of lines',
    tag: 'worker',
    security: 'worker',
    body: { type: 'application/json', schema: LogBatch },
    answers: { 200: { description: 'What is stored', type: 'application/json', schema: LogAck } },
  },
  {
    method: 'post',
    path: '/worker/report',
    summary: 'Say what phase begins',
    tag: 'worker',
    security: 'worker',
    body: { type: 'application/json', schema: Report },
    answers: done,
  },
  {
    method: 'post',
    path: '/worker/heartbeat',
    summary: 'Say that the worker lives, and wait for orders',
    tag: 'worker',
    security: 'worker',
    body: { type: 'application/json', schema: Heartbeat },
    answers: { 200: { description: 'Orders', type: 'application/json', schema: Orders } },
  },
  {
    method: 'put',
    path: '/worker/artifacts/{name}',
    summary: 'Send an artifact',
    tag: 'worker',
    security: 'worker',
    parameters: [{ name: 'name', in: 'path', schema: { type: 'string' } }],
    body: { type: 'application/octet-stream', schema: 'binary' },
    answers: done,
  },
  {
    method: 'post',
    path: '/worker/finish',
    summary: 'Say how the job ended',
    tag: 'worker',
    security: 'worker',
    body: { type: 'application/json', schema: Finish },
    answers: done,
  },
];

/** The whole HTTP surface as OpenAPI 3.1: contract routes and raw routes, from the same schemas that check requests. */
export async function openApiDocument(serverUrl: string, cookieName = 'hangar-7070'): Promise<Record<string, unknown>> {
  const generator = new OpenAPIGenerator({ schemaConverters: [new ZodToJsonSchemaConverter()] });
  const document = await generator.generate(contract, {
    info: {
      title: 'Hangar',
      version: VERSION,
      description: 'One control plane for remote compute. Errors: docs/errors.md.',
    },
    servers: [{ url: `${serverUrl}/api` }],
    security: [{ bearer: [] }, { session: [] }],
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key (hgr_…) or the access token of a device login',
        },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: cookieName,
          description: 'A browser session; a request that changes anything needs Origin or Sec-Fetch-Site, too',
        },
        worker: { type: 'http', scheme: 'bearer', description: 'The token of one attempt of one job' },
      },
    },
  });
  const paths = (document.paths ?? {}) as Record<string, Record<string, Record<string, unknown>>>;
  const components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Error: schemaOf(ErrorAnswer, 'output') },
  };
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) sortIn(operation);
  for (const raw of RAW) paths[raw.path] = { ...paths[raw.path], [raw.method]: describe(raw) };
  return { ...document, components, paths };
}

/** An operation of the contract goes under its noun, says how it fails, and when nobody need sign in for it. */
function sortIn(operation: Record<string, unknown>): void {
  operation.responses = { ...(operation.responses as Record<string, unknown>), ...hangarErrors };
  const [noun = '', verb = ''] = String(operation.operationId).split('.');
  operation.tags = [noun];
  const declared = (contract as Record<string, Record<string, { '~orpc': { meta: OperationMeta } }>>)[noun]?.[verb];
  if (declared?.['~orpc'].meta.identities.includes('public')) operation.security = [];
}

function describe(raw: RawOperation): Record<string, unknown> {
  const query = raw.query ? queryParameters(raw.query) : [];
  return {
    operationId: `${raw.tag}.${raw.method}${raw.path.replaceAll(/[^A-Za-z]+/g, '_')}`,
    summary: raw.summary,
    tags: [raw.tag],
    ...(raw.security === 'none' ? { security: [] } : raw.security === 'worker' ? { security: [{ worker: [] }] } : {}),
    parameters: [
      ...(raw.parameters ?? []).map((parameter) => ({ ...parameter, required: parameter.in === 'path' })),
      ...query,
    ],
    ...(raw.body
      ? {
          requestBody: { required: true, content: { [raw.body.type]: { schema: schemaOf(raw.body.schema, 'input') } } },
        }
      : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(raw.answers).map(([status, answer]) => [
          status,
          {
            description: answer.description,
            ...contentOf(answer.type, answer.schema),
          },
        ]),
      ),
      ...(400 in raw.answers ? rfcErrors : hangarErrors),
    },
  };
}

function contentOf(type: string | readonly string[] | undefined, schema: z.ZodType | 'binary' | 'text' | undefined) {
  if (type === undefined || schema === undefined) return {};
  const body = { schema: schemaOf(schema, 'output') };
  return { content: Object.fromEntries([type].flat().map((name) => [name, body])) };
}

function queryParameters(query: z.ZodObject): Record<string, unknown>[] {
  const { properties = {} } = z.toJSONSchema(query, { io: 'input', unrepresentable: 'any' });
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
}

function schemaOf(schema: z.ZodType | 'binary' | 'text', io: 'input' | 'output'): unknown {
  if (schema === 'binary') return { type: 'string', format: 'binary' };
  if (schema === 'text') return { type: 'string' };
  const { $schema: _schema, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return json;
}
