import { ArtifactQuery, ClaimInput, Finish, Heartbeat, LogBatch, Report, rawOperations } from '@hangar/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { workerOf } from '../../../platform/http/identity.ts';
import { parseInput, type RawRoutes, serveRaw } from '../../../platform/http/routes.ts';
import type { JobWorker } from './job-worker.ts';
import type { WorkerIdentity } from './worker-token.ts';

const ArtifactParams = z.object({
  name: z
    .string()
    .min(1)
    .max(250)
    .regex(/^(?!.*(^|\/)\.{0,2}(\/|$))[^\0\\]+$/, 'A relative path without . and ..'),
});
const UploadParams = z.object({ which: z.enum(['bundle', 'patch']) });

/** A batch of a worker is a few hundred KiB; this is the wall behind it. LogBatch bounds the lines in it. */
const BATCH_LIMIT = 16 * 1024 * 1024;

/** The worker's own routes. The token names the job; nothing in a body or path can name another. */
export function workerRoutes(worker: JobWorker): RawRoutes {
  return (app: FastifyInstance) => {
    const operations = rawOperations.worker;
    const who = ({ caller }: FastifyRequest): WorkerIdentity => {
      const { worksFor, attempt } = workerOf(caller);
      return { jobId: worksFor, attempt };
    };
    app.removeContentTypeParser(['text/plain']);
    app.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null));

    serveRaw(app, operations.claim, async (request) => {
      const identity = who(request);
      return worker.claim(identity, parseInput(ClaimInput, request.body).workerId);
    });
    serveRaw(app, operations.upload, async (request, reply) => {
      const blob = await worker.upload(
        who(request),
        parseInput(UploadParams, request.params).which,
        request.caller.signal,
      );
      return reply.type('application/octet-stream').header('content-length', blob.sizeBytes).send(blob.body);
    });
    serveRaw(
      app,
      operations.logs,
      async (request) => ({ acked: await worker.log(who(request), parseInput(LogBatch, request.body)) }),
      { bodyLimit: BATCH_LIMIT },
    );
    serveRaw(app, operations.report, async (request) => {
      await worker.report(who(request), parseInput(Report, request.body));
      return { done: true };
    });
    serveRaw(app, operations.heartbeat, async (request) =>
      worker.heartbeat(who(request), parseInput(Heartbeat, request.body).waitSeconds, request.caller.signal),
    );
    serveRaw(app, operations.artifact, async (request) => {
      const identity = who(request);
      const { name } = parseInput(ArtifactParams, { name: (request.params as { '*': string })['*'] });
      const { kind, partial, number, files, insertions, deletions } = parseInput(ArtifactQuery, request.query);
      const sha256 = request.headers['x-content-sha256'];
      const contentType = kind === 'diff' ? 'text/x-diff; charset=utf-8' : 'application/octet-stream';
      await worker.artifact(
        identity,
        {
          ...{ name, kind, partial, number, contentType, sha256: typeof sha256 === 'string' ? sha256 : undefined },
          counts:
            files === undefined || insertions === undefined || deletions === undefined
              ? null
              : { filesChanged: files, insertions, deletions },
        },
        request.raw,
        request.caller.signal,
      );
      return { done: true };
    });
    serveRaw(app, operations.finish, async (request) => {
      await worker.finish(who(request), parseInput(Finish, request.body));
      return { done: true };
    });
  };
}
