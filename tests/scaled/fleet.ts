import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ObjectStore, objectStoreForTests } from '../../apps/server/src/adapters/blob-s3/testing/index.ts';
import { createTestDatabase } from '../../apps/server/src/platform/database/testing/index.ts';
import { freePort, ServerProcess } from '../e2e/server-process.ts';
import { Balancer } from './balancer.ts';

/** Several servers on one PostgreSQL and one bucket, behind one address. They share a data directory: jobs run on this machine. */
export class Fleet {
  readonly dir: string;
  readonly servers: readonly ServerProcess[];
  readonly balancer: Balancer;
  readonly #end: () => Promise<void>;

  private constructor(dir: string, servers: readonly ServerProcess[], balancer: Balancer, end: () => Promise<void>) {
    this.dir = dir;
    this.servers = servers;
    this.balancer = balancer;
    this.#end = end;
  }

  /** Nothing is started yet. */
  static async make(o: {
    count: number;
    checks: boolean;
    /** A database without any table. */
    empty?: boolean;
    env?: Record<string, string>;
  }): Promise<Fleet> {
    const dir = mkdtempSync(join(tmpdir(), 'hangar-scaled-'));
    const database = await createTestDatabase();
    const url = o.empty ? await emptyBeside(database) : database.url;
    const store = await objectStoreForTests(join(dir, 's3'));
    const ports: number[] = [];
    while (ports.length < o.count) ports.push(await freePort());
    const balancer = await Balancer.open(ports, o);
    const env = {
      HANGAR_DATABASE_URL: url,
      HANGAR_PUBLIC_URL: balancer.url,
      HANGAR_WORKER_URL: balancer.url,
      // Without an object store they share a folder.
      ...('skipped' in store ? {} : bucketOf(store)),
      ...o.env,
    };
    const servers = ports.map((port) => new ServerProcess(dir, port, env));
    return new Fleet(dir, servers, balancer, async () => {
      await balancer.close();
      if (!('skipped' in store)) await store.remove();
      if (url !== database.url) await database.pool.query(`drop database if exists ${nameOf(url)} with (force)`);
      await database.drop();
    });
  }

  get url(): string {
    return this.balancer.url;
  }

  /** All at once, on an empty database too. */
  async start(): Promise<this> {
    await Promise.all(this.servers.map((server) => server.start()));
    return this;
  }

  async remove(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill('SIGKILL')));
    endProcessesOf(this.dir);
    await this.#end();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

const nameOf = (url: string): string => url.slice(url.lastIndexOf('/') + 1);

async function emptyBeside(database: Awaited<ReturnType<typeof createTestDatabase>>): Promise<string> {
  const name = `${nameOf(database.url)}_empty`;
  await database.pool.query(`create database ${name}`);
  return database.url.replace(/[^/]+$/, name);
}

const bucketOf = (store: ObjectStore): Record<string, string> => ({
  ...store.env,
  HANGAR_BLOB_URL: `s3://${store.bucket}/scaled?endpoint=${store.endpoint}`,
});

/** Workers outlive their servers. */
function endProcessesOf(dir: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`${dir}/data/units/`))
        process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}
