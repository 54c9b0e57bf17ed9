import {
  contract,
  metaOf,
  OAuthError,
  type OperationMeta,
  type RawOperation,
  rawOperations,
  VERSION,
} from '@hangar/contract';
import { OpenAPIGenerator } from '@orpc/openapi';
import { ZodToJsonSchemaConverter } from '@orpc/zod/zod4';
import { z } from 'zod';

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

const KEY_PARAMETER = {
  ...{ name: 'Idempotency-Key', in: 'header', required: false },
  schema: { type: 'string', minLength: 1, maxLength: 200 },
  description: 'The same key again does it once',
};

const errorAnswers = (content: Record<string, unknown>) => ({
  '4XX': { description: 'Refused: what was asked is wrong, not allowed, not there, or too much', content },
  '503': {
    description: 'Something behind the server is out of reach; the same request may work a moment later',
    content,
  },
});
const hangarErrors = errorAnswers({ 'application/json': { schema: { $ref: '#/components/schemas/Error' } } });
const rfcErrors = errorAnswers({ 'application/json': { schema: schemaOf(OAuthError, 'output') } });

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
        worker: {
          type: 'http',
          scheme: 'bearer',
          description: 'The token of one attempt of the one thing that a worker works for',
        },
      },
    },
  });
  const paths = (document.paths ?? {}) as Record<string, Record<string, Record<string, unknown>>>;
  const components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Error: schemaOf(ErrorAnswer, 'output') },
  };
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) sortIn(operation);
  for (const [tag, group] of Object.entries(rawOperations))
    for (const raw of Object.values<RawOperation>(group)) {
      const path = raw.path.replace('{+', '{');
      paths[path] = { ...paths[path], [raw.method.toLowerCase()]: describe(tag, path, raw) };
    }
  return { ...document, components, paths };
}

/** An operation of the contract goes under its noun, says how it fails, and what was decided of it. */
function sortIn(operation: Record<string, unknown>): void {
  operation.responses = { ...(operation.responses as Record<string, unknown>), ...hangarErrors };
  const [noun = '', verb = ''] = String(operation.operationId).split('.');
  operation.tags = [noun];
  const group: Readonly<Record<string, Parameters<typeof metaOf>[0]>> = contract[noun as keyof typeof contract];
  const declared = group[verb];
  if (!declared) return;
  Object.assign(operation, decided(metaOf(declared)));
  const parameters = [...((operation.parameters as unknown[]) ?? []), ...keyOf(metaOf(declared))];
  if (parameters.length > 0) operation.parameters = parameters;
}

const keyOf = ({ idempotent }: OperationMeta) => (idempotent === 'key' ? [KEY_PARAMETER] : []);

/** Who may call it, and what programs can know of it before they do. */
function decided({ identities, command, ...meta }: OperationMeta): Record<string, unknown> {
  const alone = (['worker', 'session'] as const).find(
    (kind) => identities !== 'public' && identities.every((other) => other === kind),
  );
  const security = identities === 'public' ? [] : alone && [{ [alone]: [] }];
  return {
    ...(security ? { security } : {}),
    'x-hangar': { identities, ...meta, ...(typeof command === 'string' ? { command: `hangar ${command}` } : {}) },
  };
}

function describe(tag: string, path: string, raw: RawOperation): Record<string, unknown> {
  const query = raw.query ? queryParameters(raw.query) : [];
  return {
    operationId: `${tag}.${raw.method.toLowerCase()}${path.replaceAll(/[^A-Za-z]+/g, '_')}`,
    summary: raw.summary,
    tags: [tag],
    ...decided(raw.meta),
    parameters: [
      ...(raw.parameters ?? []).map((parameter) => ({ ...parameter, required: parameter.in === 'path' })),
      ...query,
      ...keyOf(raw.meta),
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
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: 'input', unrepresentable: 'any' });
  return Object.entries(properties).map(([name, schema]) => ({
    ...{ name, in: 'query', required: required.includes(name), schema },
  }));
}

function schemaOf(schema: z.ZodType | 'binary' | 'text', io: 'input' | 'output'): unknown {
  if (schema === 'binary') return { type: 'string', format: 'binary' };
  if (schema === 'text') return { type: 'string' };
  const { $schema: _schema, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return json;
}
