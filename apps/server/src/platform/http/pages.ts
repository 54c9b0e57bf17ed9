import { createReadStream, existsSync, type ReadStream } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { rawOperations } from '@hangar/contract';
import type { FastifyInstance } from 'fastify';
import { takesEncoding } from './compress.ts';
import { openApiDocument } from './openapi.ts';
import { serveRaw } from './routes.ts';

const DOCS_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Hangar API</title>
<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>`;
const DOCS_START = `SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });`;

/** `/api/openapi.json`, `/docs`, and the web app with its deep links. */
export function pageRoutes(o: {
  publicUrl: string;
  cookieName: string;
  webDir: string | null;
}): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    let document: Promise<Record<string, unknown>> | undefined;
    serveRaw(app, rawOperations.system.openapi, async () => {
      document ??= openApiDocument(o.publicUrl, o.cookieName);
      return document;
    });

    const swagger = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
    await app.register(fastifyStatic, {
      root: swagger,
      prefix: '/docs/',
      index: false,
      decorateReply: false,
      allowedPath: (path) => /^\/swagger-ui(-bundle)?\.(css|js)$/.test(path),
    });
    app.get('/docs', (_request, reply) => reply.type('text/html; charset=utf-8').send(DOCS_PAGE));
    app.get('/docs/start.js', (_request, reply) => reply.type('text/javascript; charset=utf-8').send(DOCS_START));

    const { webDir } = o;
    if (webDir === null || !existsSync(join(webDir, 'index.html'))) {
      app.get('/', (_request, reply) =>
        reply.status(503).type('text/plain; charset=utf-8').send('The web app is not built. Run: make build\n'),
      );
      return;
    }
    await app.register(fastifyStatic, {
      root: webDir,
      prefix: '/',
      decorateReply: false,
      index: 'index.html',
      preCompressed: true,
      setHeaders: (response, path) => {
        // Names of built files carry their hash; the page itself is always asked for anew.
        response.header(
          'cache-control',
          path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
        );
      },
    });
  };
}

/**
 * The page itself for every deep link of the web app, in the best form that was built and is taken; null where a request is not
 * for a page.
 */
export function pageFor(
  webDir: string | null,
  request: { method: string; url: string; headers: IncomingHttpHeaders },
): { body: ReadStream; encoding: string | null } | null {
  if (webDir === null || request.method !== 'GET' || /^\/(api|docs|\.well-known)(\/|$)/.test(request.url)) return null;
  const file = join(webDir, 'index.html');
  if (!(request.headers.accept ?? '').includes('text/html') || !existsSync(file)) return null;
  for (const [encoding, ending] of [['br', '.br'] as const, ['gzip', '.gz'] as const])
    if (takesEncoding(request.headers['accept-encoding'], encoding) && existsSync(file + ending))
      return { body: createReadStream(file + ending), encoding };
  return { body: createReadStream(file), encoding: null };
}
