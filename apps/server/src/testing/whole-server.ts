import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { type HangarServer, startServer } from '../compose.ts';
import { readConfig } from '../config.ts';
import { createTestDatabase } from '../platform/database/testing/index.ts';

/** The whole server in this process, on a database of its own. Workers end at once: a test speaks for them, or needs none. */
export async function startWholeServer(o: { connections?: number; env?: Record<string, string> } = {}) {
  const database = await createTestDatabase();
  const dir = await mkdtemp(path.join(tmpdir(), 'hangar-whole-'));
  const workerFile = path.join(dir, 'worker.mjs');
  await writeFile(workerFile, 'setTimeout(() => process.exit(0), 600_000);\n');
  const config = readConfig({
    HANGAR_DATA_DIR: path.join(dir, 'data'),
    HANGAR_MASTER_KEY_FILE: path.join(dir, 'keys/master.key'),
    HANGAR_DATABASE_URL: database.url,
    HANGAR_PORT: '0',
    HANGAR_DRIVERS: 'local',
    HANGAR_DRAIN_SECONDS: '0',
    ...o.env,
  });
  const files = {
    workerFile,
    nodeFile: process.execPath,
    webDir: null,
    jobTemplateFile: path.resolve('deploy/k8s/job-template.yaml'),
  };
  let server: HangarServer;
  let key = '';
  const start = async () => {
    server = await startServer({
      ...{ config, files, log: pino({ level: 'silent' }) },
      ...(o.connections === undefined ? {} : { connections: o.connections }),
    });
    if (key === '') key = (await server.adminKey()).key;
  };
  await start();

  async function fetched(method: string, route: string, body?: unknown, headers: Record<string, string> = {}) {
    return fetch(server.url + route, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
  }

  return {
    database,
    get url() {
      return server.url;
    },
    get firstSignInLink() {
      return server.firstSignInLink;
    },
    fetched,
    /** Answers JSON. Throws what is not an answer of 2xx. */
    async call<T>(method: string, route: string, body?: unknown): Promise<T> {
      const answer = await fetched(method, `/api${route}`, body);
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${text.slice(0, 500)}`);
      return JSON.parse(text) as T;
    },
    async restart() {
      await server.close(AbortSignal.timeout(5_000));
      await start();
    },
    async close() {
      await server.close(AbortSignal.timeout(5_000));
      await database.drop();
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
export type WholeServer = Awaited<ReturnType<typeof startWholeServer>>;
