import { z } from 'zod';
import { DeviceAuthorization, OAuthError, TokenAnswer } from './access.ts';
import { Upload } from './jobs.ts';
import { ClusterLiveQuery, PodLogQuery } from './kubernetes.ts';
import { LogPage, LogQuery } from './logs.ts';
import { SandboxQuery } from './machines.ts';
import { FileQuery, FileReadQuery, FileWriteQuery } from './sandbox-files.ts';
import { InputQuery, OutputQuery, StatusQuery, TerminalQuery } from './sandboxes.ts';
import { ADMIN, destroying, type OperationMeta, PUBLIC, reading, WIDER, writing } from './shared.ts';
import { TERMINAL_PROTOCOL } from './terminals.ts';
import {
  ArtifactQuery,
  ClaimInput,
  Finish,
  Heartbeat,
  LogAck,
  LogBatch,
  Orders,
  Report,
  WorkOrder,
} from './worker/worker.ts';

/** An operation where bytes or RFCs matter: served as it stands here, and described in OpenAPI from it. */
export interface RawOperation {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Under /api; `{+name}` takes slashes, too. */
  readonly path: string;
  readonly summary: string;
  readonly meta: OperationMeta;
  readonly parameters?: readonly {
    name: string;
    in: 'path' | 'query' | 'header';
    schema: Record<string, unknown>;
    description?: string;
  }[];
  readonly query?: z.ZodObject;
  readonly body?: { type: string; schema: z.ZodType | 'binary' };
  /** A GET that becomes a WebSocket of this subprotocol: what it may do afterwards is said by its meta, not by its method. */
  readonly webSocket?: string;
  readonly answers: Readonly<
    Record<number, { description: string; type?: string | readonly string[]; schema?: z.ZodType | 'binary' | 'text' }>
  >;
}

const idParameter = { name: 'id', in: 'path', schema: { type: 'string' } } as const;
const oauthErrors = {
  400: { description: 'As RFC 6749 §5.2 and RFC 8628 §3.5 say', type: 'application/json', schema: OAuthError },
  401: { description: 'Unknown client', type: 'application/json', schema: OAuthError },
} as const;
const done = {
  200: { description: 'Done', type: 'application/json', schema: z.object({ done: z.literal(true) }) },
} as const;
const form = (schema: z.ZodType) => ({ type: 'application/x-www-form-urlencoded', schema });

const WORKER = { identities: ['worker'], mcp: false } as const;
const BY_WORKER = { none: 'The program that runs a job says it.' } as const;

/** All raw operations, by noun. The server refuses to start with a raw route below /api that is not one of them. */
export const rawOperations = {
  jobs: {
    log: {
      method: 'GET',
      path: '/jobs/{id}/logs',
      summary: 'The log of a job: a page, a live stream (SSE), or all of it as text or gzip',
      meta: reading(
        'logs {id} [--follow] [--since {since}] [--grep {grep}] [--stream {stream}] [--tail {tail}]',
        WIDER,
      ),
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
    diff: {
      method: 'GET',
      path: '/jobs/{id}/artifacts/diff',
      summary: 'The diff of a job',
      meta: reading('pull {id}', WIDER),
      parameters: [idParameter],
      answers: { 200: { description: 'A binary git diff', type: 'text/plain', schema: 'text' } },
    },
    artifact: {
      method: 'GET',
      path: '/jobs/{id}/artifacts/{+name}',
      summary: 'An artifact of a job',
      meta: reading('artifacts download {id} {name}', WIDER),
      parameters: [idParameter, { name: 'name', in: 'path', schema: { type: 'string' } }],
      answers: {
        200: {
          description: 'The bytes; of the diff as text',
          type: ['application/octet-stream', 'text/plain'],
          schema: 'binary',
        },
        302: { description: 'To a large file in the store itself; only for a browser that saves it' },
      },
    },
    upload: {
      method: 'POST',
      path: '/uploads',
      summary: 'Send a git bundle or patch for a job',
      // One that no job names is removed after a while.
      meta: writing({ none: 'run --cloud sends what a job needs.' }, { idempotent: true, mcp: false }),
      body: { type: 'application/octet-stream', schema: 'binary' },
      answers: { 201: { description: 'Stored', type: 'application/json', schema: Upload } },
    },
  },
  sandboxes: {
    status: {
      method: 'GET',
      path: '/drivers/status',
      summary: 'What an execution prints, live (SSE), from any piece on',
      meta: reading({ none: 'sandbox exec prints it.' }, WIDER),
      parameters: [
        {
          name: 'Last-Event-ID',
          in: 'header',
          schema: { type: 'string' },
          description: 'Go on after this piece',
        },
      ],
      query: StatusQuery,
      answers: {
        200: {
          description: 'Frames whose data is an array of OutputPiece; event end with the state closes it',
          type: 'text/event-stream',
          schema: 'text',
        },
      },
    },
    output: {
      method: 'GET',
      path: '/drivers/executions/{id}/output',
      summary: 'What an execution has printed so far on one stream, as it was',
      meta: reading({ none: 'sandbox exec prints it.' }, { ...WIDER, mcp: false }),
      parameters: [idParameter],
      query: OutputQuery,
      answers: {
        200: { description: 'The bytes', type: ['application/octet-stream', 'text/plain'], schema: 'binary' },
      },
    },
    input: {
      method: 'POST',
      path: '/drivers/executions/{id}/input',
      summary: 'Write to the standard input of an execution',
      meta: writing({ none: 'sandbox exec sends what it is given.' }, { idempotent: true, mcp: false }),
      parameters: [idParameter],
      query: InputQuery,
      body: { type: 'application/octet-stream', schema: 'binary' },
      answers: {
        200: {
          description: 'Stored',
          type: 'application/json',
          schema: z.object({ bytes: z.number().int().describe('Of input there is in all') }),
        },
      },
    },
    terminal: {
      method: 'GET',
      path: '/drivers/terminal',
      summary: 'The terminal of an execution, both ways, over a WebSocket; again after a break',
      // Typing is no reading; one that breaks is opened again, and types nothing twice.
      meta: writing('sandbox attach {execution}', { idempotent: true, mcp: false }),
      query: TerminalQuery,
      webSocket: TERMINAL_PROTOCOL,
      answers: {
        101: {
          description: `Subprotocol ${TERMINAL_PROTOCOL}: binary frames are bytes of the terminal, text frames JSON; see packages/contract/src/terminals.ts`,
        },
      },
    },
  },
  trees: {
    diff: {
      method: 'GET',
      path: '/drivers/sessions/{id}/diff/{diff}',
      summary: 'The text of a diff that was made in a sandbox',
      meta: reading({ none: 'hangar sandbox diff and hangar pull bring it.' }, { mcp: false }),
      parameters: [idParameter, { name: 'diff', in: 'path', schema: { type: 'string' } }],
      answers: { 200: { description: 'A binary git diff', type: 'text/plain', schema: 'text' } },
    },
  },
  files: {
    read: {
      method: 'GET',
      path: '/drivers/files/content',
      summary: 'A file of a sandbox, as it is',
      meta: reading({ none: 'hangar cp brings it.' }, { mcp: false }),
      query: FileReadQuery,
      answers: {
        200: { description: 'The bytes', type: ['application/octet-stream', 'text/plain'], schema: 'binary' },
      },
    },
    write: {
      method: 'PUT',
      path: '/drivers/files/content',
      summary: 'Write a file of a sandbox, whole or not at all',
      meta: writing({ none: 'hangar cp sends it.' }, { idempotent: true, mcp: false }),
      query: FileWriteQuery,
      body: { type: 'application/octet-stream', schema: 'binary' },
      answers: done,
    },
    download: {
      method: 'GET',
      path: '/drivers/files/tar',
      summary: 'A folder of a sandbox with all that is in it, as a tar archive',
      meta: reading({ none: 'hangar cp -r brings it.' }, { mcp: false }),
      query: FileQuery,
      answers: { 200: { description: 'A tar archive', type: 'application/x-tar', schema: 'binary' } },
    },
    upload: {
      method: 'PUT',
      path: '/drivers/files/tar',
      summary: 'Unpack a tar archive into a folder of a sandbox, which is made; not all or nothing',
      meta: writing({ none: 'hangar cp -r sends it.' }, { idempotent: true, mcp: false }),
      query: FileQuery,
      body: { type: 'application/octet-stream', schema: 'binary' },
      answers: done,
    },
  },
  machines: {
    resources: {
      method: 'GET',
      path: '/drivers/resources',
      summary: 'What the machine of a sandbox uses, live, once a second (SSE)',
      meta: reading('sandbox show {sandbox} --resources', { mcp: false }),
      query: SandboxQuery,
      answers: {
        200: {
          description: 'Frames with event load (MachineLoad) or away (MachineAway); event end with the sandbox',
          type: 'text/event-stream',
          schema: 'text',
        },
      },
    },
  },
  system: {
    events: {
      method: 'GET',
      path: '/events',
      summary: 'What changes, live (SSE)',
      meta: reading({ none: 'Pages follow it.' }, { ...WIDER, mcp: false }),
      answers: { 200: { description: 'Frames with event job or activity', type: 'text/event-stream', schema: 'text' } },
    },
    openapi: {
      method: 'GET',
      path: '/openapi.json',
      summary: 'This description',
      meta: reading({ none: 'The page /docs shows it.' }, PUBLIC),
      answers: {
        200: { description: 'OpenAPI 3.1', type: 'application/json', schema: z.record(z.string(), z.unknown()) },
      },
    },
  },
  activity: {
    events: {
      method: 'GET',
      path: '/devops/activity/events',
      summary: 'Activity, live (SSE)',
      meta: reading({ none: 'Pages follow it.' }, { ...WIDER, mcp: false }),
      answers: { 200: { description: 'Frames with event activity', type: 'text/event-stream', schema: 'text' } },
    },
  },
  kubernetes: {
    live: {
      method: 'GET',
      path: '/k8s/live',
      summary: 'What a page of the cluster shows, whenever it changes (SSE)',
      meta: reading({ none: 'Pages follow it.' }, ADMIN),
      query: ClusterLiveQuery,
      answers: {
        200: {
          description: 'Frames with event health, nodes, pods or failed',
          type: 'text/event-stream',
          schema: 'text',
        },
      },
    },
    podLog: {
      method: 'GET',
      path: '/k8s/pods/{namespace}/{name}/log',
      summary: 'What a container prints: its last lines as text, or live (SSE)',
      meta: reading(
        'k8s logs {namespace} {name} [--container {container}] [--previous] [--tail {tail}] [--follow] [--context {context}]',
        ADMIN,
      ),
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
  },
  access: {
    authorizeDevice: {
      method: 'POST',
      path: '/auth/device',
      summary: 'Begin a device login (RFC 8628 §3.1)',
      meta: writing('cloud login', { idempotent: false, ...PUBLIC }),
      body: form(z.object({ client_id: z.string(), client_name: z.string().optional(), scope: z.string().optional() })),
      answers: {
        200: { description: 'Codes to show', type: 'application/json', schema: DeviceAuthorization },
        ...oauthErrors,
      },
    },
    token: {
      method: 'POST',
      path: '/auth/token',
      summary: 'Redeem a device code or a refresh token (RFC 6749 §6, RFC 8628 §3.4)',
      // A device code and a refresh token work once.
      meta: writing(
        { none: 'cloud login does it, and every command when it is time.' },
        { idempotent: false, ...PUBLIC },
      ),
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
    refresh: {
      method: 'POST',
      path: '/auth/refresh',
      summary: 'Redeem a refresh token; grant_type may be left out',
      meta: writing({ none: 'Every command does it when it is time.' }, { idempotent: false, ...PUBLIC }),
      body: form(z.object({ refresh_token: z.string(), client_id: z.string().optional() })),
      answers: { 200: { description: 'Tokens', type: 'application/json', schema: TokenAnswer }, ...oauthErrors },
    },
    revoke: {
      method: 'POST',
      path: '/auth/revoke',
      summary: 'Revoke a token and its family (RFC 7009)',
      meta: destroying('cloud logout', PUBLIC),
      body: form(
        z.object({ token: z.string(), client_id: z.string().optional(), token_type_hint: z.string().optional() }),
      ),
      answers: { 200: { description: 'Revoked, or never known' }, ...oauthErrors },
    },
    keys: {
      method: 'GET',
      path: '/auth/jwks.json',
      summary: 'Keys that sign access tokens (RFC 7517)',
      meta: reading({ none: 'Programs that check tokens ask it.' }, PUBLIC),
      answers: {
        200: {
          description: 'A JWK set',
          type: 'application/jwk-set+json',
          schema: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }),
        },
      },
    },
  },
  worker: {
    claim: {
      method: 'POST',
      path: '/worker/claim',
      summary: 'Take the work order',
      // The same worker is given the same order again.
      meta: writing(BY_WORKER, { idempotent: true, ...WORKER }),
      body: { type: 'application/json', schema: ClaimInput },
      answers: { 200: { description: 'The work order', type: 'application/json', schema: WorkOrder } },
    },
    upload: {
      method: 'GET',
      path: '/worker/uploads/{which}',
      summary: 'The bundle or patch of the job',
      meta: reading(BY_WORKER, WORKER),
      parameters: [{ name: 'which', in: 'path', schema: { enum: ['bundle', 'patch'] } }],
      answers: { 200: { description: 'The bytes', type: 'application/octet-stream', schema: 'binary' } },
    },
    logs: {
      method: 'POST',
      path: '/worker/logs',
      summary: 'Send a batch of lines',
      // A batch that was seen is dropped.
      meta: writing(BY_WORKER, { idempotent: true, ...WORKER }),
      body: { type: 'application/json', schema: LogBatch },
      answers: { 200: { description: 'What is stored', type: 'application/json', schema: LogAck } },
    },
    report: {
      method: 'POST',
      path: '/worker/report',
      summary: 'Say what phase begins',
      meta: writing(BY_WORKER, { idempotent: true, ...WORKER }),
      body: { type: 'application/json', schema: Report },
      answers: done,
    },
    heartbeat: {
      method: 'POST',
      path: '/worker/heartbeat',
      summary: 'Say that the worker lives, and wait for orders',
      meta: writing(BY_WORKER, { idempotent: true, ...WORKER }),
      body: { type: 'application/json', schema: Heartbeat },
      answers: { 200: { description: 'Orders', type: 'application/json', schema: Orders } },
    },
    artifact: {
      method: 'PUT',
      path: '/worker/artifacts/{+name}',
      summary: 'Send an artifact',
      // Each upload has its number: what has a lower one replaces nothing.
      meta: writing(BY_WORKER, { idempotent: true, ...WORKER }),
      parameters: [
        { name: 'name', in: 'path', schema: { type: 'string' } },
        {
          name: 'X-Content-SHA256',
          in: 'header',
          schema: { type: 'string' },
          description: 'What the bytes have to hash to',
        },
      ],
      query: ArtifactQuery,
      body: { type: 'application/octet-stream', schema: 'binary' },
      answers: done,
    },
    finish: {
      method: 'POST',
      path: '/worker/finish',
      summary: 'Say how the job ended',
      meta: writing(BY_WORKER, { idempotent: true, ...WORKER }),
      body: { type: 'application/json', schema: Finish },
      answers: done,
    },
  },
} as const satisfies Record<string, Record<string, RawOperation>>;
