import { execFile, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/**
 * versitygw, an S3 server over a folder: one static program that the Go module proxy has in source, ready in 100 ms and small enough
 * for each test file to have its own. It checks signatures and checksums, and knows multipart uploads and their listing. Of the others
 * that a package registry has, S3Mock needs a JVM and checks no signature, moto is made for unit tests.
 */
const MODULE = 'github.com/versity/versitygw/cmd/versitygw';
const VERSION = 'v1.8.0';
const INSTALL_MS = 10 * 60_000;
const START_MS = 20_000;
const BUCKET = 'hangar-test';
const run = promisify(execFile);

export interface ObjectStore {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly port: number;
  readonly bucket: string;
  /** For the environment of who uses it. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends it; its data stay until `remove`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

const program = (): string =>
  path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'hangar', `versitygw-${VERSION}`);

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** Builds the server once for this machine. Null when it is there; else why it cannot be had. */
export async function installObjectStore(): Promise<string | null> {
  const file = program();
  if (await isThere(file)) return null;
  const go = [...(process.env.PATH ?? '').split(':'), '/usr/local/go/bin'].map((dir) => path.join(dir, 'go'));
  const found = (await Promise.all(go.map(async (at) => ((await isThere(at)) ? at : null)))).find((at) => at !== null);
  if (found === undefined || found === null)
    return 'no object store here: install Go, then run: node scripts/object-store.ts';
  await mkdir(path.dirname(file), { recursive: true });
  const into = await mkdtemp(path.join(path.dirname(file), '.versitygw-'));
  try {
    await run(found, ['install', '-trimpath', '-ldflags=-s -w', `${MODULE}@${VERSION}`], {
      env: { ...process.env, GOBIN: into, GOFLAGS: '', CGO_ENABLED: '0' },
      timeout: INSTALL_MS,
    });
    await rename(path.join(into, 'versitygw'), file);
    return null;
  } catch (error) {
    return `no object store here: ${error instanceof Error ? error.message.split('\n').slice(0, 3).join(' ') : error}`;
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

/**
 * A real S3 server with one empty bucket, or why there is none. It is not installed here: that takes minutes and is the set-up's.
 *
 * @param dir where it keeps everything; a folder of its own when left out
 */
export async function objectStoreForTests(dir?: string): Promise<ObjectStore | { readonly skipped: string }> {
  const file = program();
  if (!(await isThere(file))) return { skipped: 'no object store here: run node scripts/object-store.ts (needs Go)' };
  const root = dir ?? (await mkdtemp(path.join(tmpdir(), 'hangar-s3-')));
  const data = path.join(root, 'data');
  const sidecar = path.join(root, 'metadata');
  await mkdir(path.join(data, BUCKET), { recursive: true });
  await mkdir(sidecar, { recursive: true });
  const port = await freePort();
  const [user, secret] = ['hangar-test', 'a secret of tests'];
  let stop = async () => {};
  const store: ObjectStore = {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    bucket: BUCKET,
    env: { AWS_ACCESS_KEY_ID: user, AWS_SECRET_ACCESS_KEY: secret, AWS_EC2_METADATA_DISABLED: 'true' },
    async start() {
      let said = '';
      const child = spawn(
        file,
        ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', '--sidecar', sidecar, data],
        {
          env: { PATH: process.env.PATH, HOME: root, ROOT_ACCESS_KEY: user, ROOT_SECRET_KEY: secret },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          said = `${said}${text}`.slice(-2_000);
        });
      const gone = new Promise<void>((done) => child.once('exit', () => done()));
      stop = async () => {
        child.kill('SIGKILL');
        await gone;
      };
      const deadline = Date.now() + START_MS;
      while (child.exitCode === null && Date.now() < deadline) {
        const answered = await fetch(store.endpoint).then(
          () => true,
          () => false,
        );
        if (answered) return;
        await sleep(20);
      }
      await stop();
      throw new Error(`the object store did not start: ${said}`);
    },
    stop: () => stop(),
    async remove() {
      await stop();
      if (dir === undefined) await rm(root, { recursive: true, force: true });
    },
  };
  await store.start();
  return store;
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
