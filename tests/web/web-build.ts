import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';

const ROOT = fileURLToPath(new URL('../../apps/web', import.meta.url));

/** The policy the server answers with; the app has to work under it. */
export const CSP = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

const VITE = fileURLToPath(new URL('../../node_modules/vite/bin/vite.js', import.meta.url));

/** Longer than a build takes on a busy machine. */
const BUILD_MS = 170_000;

/**
 * The folder of the app as it ships, with the gallery in it. Built once a run, by the first test that asks for it; the run
 * removes it. Nobody writes into it.
 */
export async function buildWithGallery(): Promise<string> {
  const folder = join(inject('hangarTestDataDir'), 'web-build');
  const ended = `${folder}.ended`;
  if (await isFirst(folder)) {
    const wrong = await build(folder).then(() => '', String);
    await writeFile(`${ended}.new`, wrong);
    await rename(`${ended}.new`, ended);
  }
  for (const deadline = Date.now() + BUILD_MS; Date.now() < deadline; await sleep(100)) {
    const wrong = await readFile(ended, 'utf8').catch(() => null);
    if (wrong === '') return folder;
    if (wrong !== null) throw new Error(wrong);
  }
  throw new Error(`the build of the web app did not end within ${BUILD_MS / 1000} s`);
}

/** Test files run in processes of their own: who makes the folder builds. */
async function isFirst(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** In a process of its own: this one is a test, not production. */
async function build(outDir: string): Promise<void> {
  await promisify(execFile)(
    process.execPath,
    [VITE, 'build', '--outDir', outDir, '--emptyOutDir', '--logLevel', 'error'],
    { cwd: ROOT, env: { NODE_ENV: 'production', VITE_GALLERY: '1' }, timeout: BUILD_MS },
  );
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

export interface Served {
  origin: string;
  close: () => Promise<void>;
}

/** Serves a build as the server does: files, else index.html; `/api` goes to `api` or is a 404. */
export async function serveBuild(folder: string, api?: RequestListener): Promise<Served> {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (path.startsWith('/api/')) {
      if (api) return api(request, response);
      response.writeHead(404).end();
      return;
    }
    const file = normalize(join(folder, path));
    const inside = file.startsWith(folder) && extname(file) !== '';
    const body = await readFile(inside ? file : join(folder, 'index.html')).catch(() => null);
    if (body === null) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[inside ? extname(file) : '.html'] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-security-policy': CSP }).end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the test server has no port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}
