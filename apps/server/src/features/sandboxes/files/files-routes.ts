import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { FileQuery, FileReadQuery, FileWriteQuery, HangarError, rawOperations } from '@hangar/contract';
import type { FastifyReply } from 'fastify';
import { signedIn } from '../../../platform/http/identity.ts';
import { api, parseInput, type RawRoutes, serveRaw } from '../../../platform/http/routes.ts';
import type { SandboxFiles } from './sandbox-files.ts';

const DONE = { done: true } as const;

export const filesRoutes = (files: SandboxFiles) => ({
  list: api.files.list.handler(({ input, context }) => files.list(signedIn(context), input, context.signal)),
  stat: api.files.stat.handler(({ input, context }) => files.stat(signedIn(context), input, context.signal)),
  makeFolder: api.files.makeFolder.handler(async ({ input, context }) => {
    await files.makeFolder(signedIn(context), input, context.signal);
    return DONE;
  }),
  move: api.files.move.handler(async ({ input, context }) => {
    await files.move(signedIn(context), input, context.signal);
    return DONE;
  }),
  remove: api.files.remove.handler(async ({ input, context }) => {
    await files.remove(signedIn(context), input, context.signal);
    return DONE;
  }),
});

const { read, write, download, upload } = rawOperations.files;

/** The routes of files where bytes matter. Nothing of what passes through is held here. */
export function filesBytesRoutes(files: SandboxFiles): RawRoutes {
  return (app) => {
    // Whatever a body says it is, its bytes are what counts.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));

    serveRaw(app, read, async (request, reply) => {
      const query = parseInput(FileReadQuery, request.query);
      const { path, body } = await files.read(signedIn(request.caller), query, request.caller.signal);
      if (query.download) asAttachment(reply, path, '');
      else reply.type('text/plain; charset=utf-8').header('content-disposition', 'inline');
      return hostile(reply).send(body);
    });
    serveRaw(app, write, async (request) => {
      const { mode, ...asked } = parseInput(FileWriteQuery, request.query);
      const bits = mode === undefined ? {} : { mode: Number.parseInt(mode, 8) };
      const { caller } = request;
      await receiving(request.raw, (body) => files.write(signedIn(caller), { ...asked, ...bits }, body, caller.signal));
      return DONE;
    });
    serveRaw(app, download, async (request, reply) => {
      const query = parseInput(FileQuery, request.query);
      const { path, body } = await files.download(signedIn(request.caller), query, request.caller.signal);
      asAttachment(reply, path, '.tar').type('application/x-tar');
      return hostile(reply).send(body);
    });
    serveRaw(app, upload, async (request) => {
      const query = parseInput(FileQuery, request.query);
      const { caller } = request;
      await receiving(request.raw, (body) => files.upload(signedIn(caller), query, body, caller.signal));
      return DONE;
    });
  };
}

/** What is not read of a body is taken and dropped: else the answer that says why would reach nobody who still sends. */
async function receiving<T>(raw: IncomingMessage, work: (body: Readable) => Promise<T>): Promise<T> {
  const body = new PassThrough();
  const breakOff = () => {
    if (!raw.complete) body.destroy(new HangarError('bad_request', { message: 'The body broke off.' }));
  };
  body.on('error', () => undefined);
  raw.once('error', breakOff).once('close', breakOff).pipe(body);
  try {
    return await work(body);
  } finally {
    raw.unpipe(body).resume();
    body.destroy();
  }
}

/** What lies in a sandbox is hostile: it is never shown as a page of this site. */
const hostile = (reply: FastifyReply): FastifyReply =>
  reply.header('content-security-policy', "default-src 'none'; sandbox");

function asAttachment(reply: FastifyReply, path: string, ending: string): FastifyReply {
  const name = `${path.split('/').findLast((part) => part !== '') ?? 'root'}${ending}`.toWellFormed();
  return reply
    .type('application/octet-stream')
    .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(name)}`);
}
