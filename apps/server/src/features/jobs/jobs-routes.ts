import { pipeline } from 'node:stream';
import { createGzip } from 'node:zlib';
import { HangarError, JobId, type JobState, LogQuery, rawOperations } from '@hangar/contract';
import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { z } from 'zod';
import type { Blobs } from '../../platform/blobs/blobs.ts';
import { forEverybody, signedIn } from '../../platform/http/identity.ts';
import { api, parseInput, type RawRoutes, serveRaw } from '../../platform/http/routes.ts';
import type { Jobs } from './jobs.ts';
import type { Uploads } from './uploads.ts';

export const jobsRoutes = (jobs: Jobs) => ({
  create: api.jobs.create.handler(({ input, context }) => {
    const idempotencyKey = input.idempotencyKey ?? context.idempotencyKey;
    return jobs.submit(signedIn(context), { ...input, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) });
  }),
  list: api.jobs.list.handler(({ input, context }) => {
    const { state, mine, search, agent, profile, repo, group, limit, cursor } = input;
    const states: JobState[] | undefined = state === undefined || Array.isArray(state) ? state : [state];
    return jobs.list(mine ? { ...signedIn(context), everybody: false } : forEverybody(context), {
      limit,
      ...(states ? { states } : {}),
      ...(search ? { search } : {}),
      ...(agent ? { agent } : {}),
      ...(profile ? { profile } : {}),
      ...(repo ? { repo } : {}),
      ...(group ? { group } : {}),
      ...(cursor ? { cursor } : {}),
    });
  }),
  get: api.jobs.get.handler(({ input, context }) => jobs.get(signedIn(context), input.id)),
  cancel: api.jobs.cancel.handler(({ input, context }) => jobs.cancel(signedIn(context), input.id)),
  retry: api.jobs.retry.handler(({ input, context }) =>
    jobs.retry(signedIn(context), input.id, context.idempotencyKey),
  ),
  artifacts: api.jobs.artifacts.handler(({ input, context }) => jobs.artifacts(signedIn(context), input.id)),
  agents: api.jobs.agents.handler(() => jobs.agents()),
});

const ById = z.object({ id: JobId });
/** Below this a way over the server is as fast. */
const LINK_LEAST_BYTES = 1024 * 1024;
/** To begin the download; it may take longer. */
const LINK_SECONDS = 300;
const { log, diff, artifact, upload } = rawOperations.jobs;

export interface JobBytesParts {
  readonly jobs: Pick<Jobs, 'artifact' | 'mayReadLog'>;
  readonly uploads: Pick<Uploads, 'receive'>;
  readonly blobs: Pick<Blobs, 'get' | 'link'>;
  /** Answers with a log in any of its forms: JSON, SSE, text, gzip. */
  readonly answerLog: (
    logId: string,
    query: LogQuery,
    request: FastifyRequest,
    reply: FastifyReply,
  ) => Promise<unknown>;
}

/** The routes of jobs where bytes matter: logs, artifacts, uploads. */
export function jobBytesRoutes(parts: JobBytesParts): RawRoutes {
  return (app) => {
    app.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null));

    serveRaw(app, log, async (request, reply) => {
      const { id } = parseInput(ById, request.params);
      const query = parseInput(LogQuery, request.query);
      await parts.jobs.mayReadLog(signedIn(request.caller), id);
      return parts.answerLog(id, query, request, reply);
    });

    const send: RouteHandlerMethod = async (request, reply) => {
      const { id } = parseInput(ById, request.params);
      const { '*': name = 'diff' } = request.params as { '*'?: string };
      const artifact = await parts.jobs.artifact(signedIn(request.caller), id, name);
      const fileName = name === 'diff' ? `${id}.diff` : (name.split('/').at(-1) ?? 'artifact');
      // A browser that saves a large file gets it from the store itself. Programs read what stands in the headers below.
      const saves = request.headers['sec-fetch-mode'] === 'navigate' && artifact.kind === 'file';
      if (saves && artifact.sizeBytes >= LINK_LEAST_BYTES && parts.blobs.link)
        return reply.redirect(
          await parts.blobs.link(artifact.blobKey, { fileName, expiresSeconds: LINK_SECONDS }),
          302,
        );
      const blob = await parts.blobs.get(artifact.blobKey, { signal: request.caller.signal });
      if (!blob) throw new HangarError('artifact_not_found');
      // What a job left behind is hostile: it is never shown as a page of this site.
      reply
        .type(artifact.kind === 'diff' ? 'text/plain; charset=utf-8' : 'application/octet-stream')
        .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(fileName)}`)
        .header('content-security-policy', "default-src 'none'; sandbox")
        .header('x-artifact-partial', String(artifact.partial))
        .header('etag', `"${artifact.sha256}"`);
      if (
        artifact.sizeBytes > 1024 &&
        /\bgzip\b/.test(request.headers['accept-encoding'] ?? '') &&
        artifact.kind === 'diff'
      ) {
        // Whichever breaks takes the other along: nobody else listens to what the store says in the middle.
        const packed = createGzip();
        pipeline(blob.body, packed, () => undefined);
        return reply.header('content-encoding', 'gzip').send(packed);
      }
      return reply.header('content-length', blob.sizeBytes).send(blob.body);
    };
    serveRaw(app, diff, send);
    serveRaw(app, artifact, send);

    serveRaw(app, upload, async (request, reply) => {
      const received = await parts.uploads.receive(signedIn(request.caller).userId, request.raw, request.caller.signal);
      return reply.status(201).send(received);
    });
  };
}
