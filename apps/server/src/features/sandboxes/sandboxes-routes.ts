import { Readable } from 'node:stream';
import {
  ExecutionId,
  HangarError,
  InputQuery,
  OutputQuery,
  rawOperations,
  type SandboxStateName,
  StatusQuery,
} from '@hangar/contract';
import { z } from 'zod';
import { forEverybody, signedIn } from '../../platform/http/identity.ts';
import { api, parseInput, type RawRoutes, serveRaw } from '../../platform/http/routes.ts';
import { answerLogRequest, type Logs } from '../../platform/logs/index.ts';
import { printedOn } from './acts/recorder.ts';
import type { SandboxDiffs } from './diff/sandbox-diffs.ts';
import type { Sandboxes } from './sandboxes.ts';

export const sandboxesRoutes = (sandboxes: Sandboxes, diffs: SandboxDiffs) => ({
  open: api.sandboxes.open.handler(({ input, context }) => {
    const idempotencyKey = input.idempotencyKey ?? context.idempotencyKey;
    return sandboxes.open(signedIn(context), { ...input, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) });
  }),
  list: api.sandboxes.list.handler(({ input, context }) => {
    const { state, mine, profile, limit, cursor } = input;
    const states: SandboxStateName[] | undefined = state === undefined || Array.isArray(state) ? state : [state];
    return sandboxes.list(mine ? { ...signedIn(context), everybody: false } : forEverybody(context), {
      ...{ limit, ...(states ? { states } : {}), ...(profile ? { profile } : {}), ...(cursor ? { cursor } : {}) },
    });
  }),
  get: api.sandboxes.get.handler(({ input, context }) => sandboxes.get(signedIn(context), input.id)),
  close: api.sandboxes.close.handler(({ input: { id, keep }, context }) =>
    sandboxes.close(signedIn(context), id, { keep }),
  ),
  pause: api.sandboxes.pause.handler(({ input, context }) => sandboxes.pause(signedIn(context), input.id)),
  resume: api.sandboxes.resume.handler(({ input, context }) => sandboxes.resume(signedIn(context), input.id)),
  diff: api.sandboxes.diff.handler(({ input, context }) => diffs.make(signedIn(context), input, context.signal)),
  executions: api.sandboxes.executions.handler(({ input: { id, limit, cursor }, context }) =>
    sandboxes.executions(signedIn(context), id, { limit, ...(cursor ? { cursor } : {}) }),
  ),
  execute: api.sandboxes.execute.handler(({ input, context }) => {
    const idempotencyKey = input.idempotencyKey ?? context.idempotencyKey;
    return sandboxes.execute(signedIn(context), {
      ...input,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
  }),
  execution: api.sandboxes.execution.handler(({ input, context }) => sandboxes.execution(signedIn(context), input.id)),
  cancel: api.sandboxes.cancel.handler(({ input: { id, graceSeconds }, context }) =>
    sandboxes.cancel(signedIn(context), id, graceSeconds),
  ),
});

const ById = z.object({ id: ExecutionId });
/** Of one request; a longer input comes in several. */
export const INPUT_MOST = 1024 * 1024;
const { status, output, input } = rawOperations.sandboxes;

/** The routes of executions where bytes matter: what they print, and what is written to them. */
export function sandboxBytesRoutes({ sandboxes, logs }: { sandboxes: Sandboxes; logs: Logs }): RawRoutes {
  return (app) => {
    app.addContentTypeParser(
      'application/octet-stream',
      { parseAs: 'buffer', bodyLimit: INPUT_MOST },
      (_request, body, done) => done(null, body),
    );

    serveRaw(app, status, async (request, reply) => {
      const { execution, after } = parseInput(StatusQuery, request.query);
      await sandboxes.execution(signedIn(request.caller), execution);
      const query = { limit: 1000, follow: true, format: 'json', ...(after === undefined ? {} : { after }) } as const;
      return answerLogRequest(logs, execution, query, request, reply);
    });

    serveRaw(app, output, async (request, reply) => {
      const { id } = parseInput(ById, request.params);
      const { stream, download } = parseInput(OutputQuery, request.query);
      await sandboxes.execution(signedIn(request.caller), id);
      // What a sandbox printed is hostile: it is never shown as a page of this site.
      reply
        .type(download ? 'application/octet-stream' : 'text/plain; charset=utf-8')
        .header('content-disposition', download ? `attachment; filename="${id}.${stream}"` : 'inline')
        .header('content-security-policy', "default-src 'none'; sandbox");
      return reply.send(Readable.from(printedOn(logs, id, stream, request.caller.signal)));
    });

    serveRaw(app, input, async (request) => {
      const { id } = parseInput(ById, request.params);
      const { at, end } = parseInput(InputQuery, request.query);
      const { body } = request;
      if (body !== undefined && body !== null && !Buffer.isBuffer(body))
        throw new HangarError('bad_request', { message: 'The body is to be application/octet-stream.' });
      const { signal } = request.caller;
      return sandboxes.write(signedIn(request.caller), id, { at, end, bytes: body ?? Buffer.alloc(0) }, signal);
    });
  };
}
