import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBlobsInS3 } from '../../apps/server/src/adapters/blob-s3/index.ts';
import { type ObjectStore, objectStoreForTests } from '../../apps/server/src/adapters/blob-s3/testing/index.ts';
import { readBlobUrl } from '../../apps/server/src/platform/blobs/place.ts';
import { makeRepo, ServerProcess } from './server-process.ts';

const found = await objectStoreForTests();
if ('skipped' in found) it('a server on an object store', ({ skip }) => skip(found.skipped));
else
  describe('a server on an object store', () => {
    onObjectStore(found);
  });

function onObjectStore(store: ObjectStore): void {
  const servers: ServerProcess[] = [];
  afterAll(async () => {
    for (const server of servers) await server.remove();
    await store.remove();
  });
  beforeAll(() => {
    Object.assign(process.env, store.env);
  });

  const url = (prefix: string) => `s3://${store.bucket}/${prefix}?endpoint=${store.endpoint}`;
  async function make(prefix: string, extra: Record<string, string> = {}): Promise<ServerProcess> {
    const server = await ServerProcess.make({ ...store.env, HANGAR_BLOB_URL: url(prefix), ...extra });
    servers.push(server);
    return server;
  }
  async function keys(prefix: string): Promise<string[]> {
    const place = readBlobUrl(url(prefix));
    if (place.kind !== 's3') throw new Error('not an object store');
    const blobs = await openBlobsInS3({ place, log: pino({ level: 'silent' }) });
    const all: string[] = [];
    for await (const key of blobs.list('')) all.push(key);
    return all;
  }
  async function until(what: string, holds: () => Promise<boolean>, ms = 60_000): Promise<void> {
    const deadline = Date.now() + ms;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`never: ${what}`);
      await sleep(250);
    }
  }

  it('keeps logs, diffs and uploads there, through an outage of it, and a backup brings them to another', async () => {
    const server = await (await make('first')).start();
    await server.signIn();
    const repo = await makeRepo(join(server.dir, 'repo'));
    writeFileSync(join(repo, 'draft.txt'), 'draft\n');
    const spec = join(server.dir, 'spec.md');
    writeFileSync(
      spec,
      '# Work\n\n```sh\nfor i in $(seq 1 500); do echo "line $i"; done; sleep 3; echo done > result.txt\n```\n',
    );
    const run = async () => {
      const sent = await server.hangar(['run', '--cloud', '--spec', spec, '--json'], { cwd: repo });
      if (sent.exitCode !== 0) throw new Error(sent.stderr);
      return (JSON.parse(sent.stdout) as Job).id;
    };
    const status = async (id: string) => JSON.parse((await server.hangar(['status', id, '--json'])).stdout) as Job;

    const first = await run();
    await until('the first job ends', async () => (await status(first)).state === 'succeeded');
    expect(existsSync(join(server.dir, 'data/blobs'))).toBe(false);
    await until('its log is in the bucket', async () =>
      (await keys('first')).some((key) => key.startsWith(`logs/${first}/`)),
    );
    expect((await keys('first')).some((key) => key.startsWith(`jobs/${first}/`))).toBe(true);

    // The store goes while a job works, and comes back: the job waits for it with its diff, and says so.
    const second = await run();
    await until('the second job runs', async () => (await status(second)).state === 'running');
    await store.stop();
    const refused = await server.hangar(['run', '--cloud', '--spec', spec, '--json'], { cwd: repo });
    expect(refused.exitCode).toBe(4);
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'blob_store_unavailable' } });
    await until('it says why it waits', async () => /cannot be reached/.test((await status(second)).reason ?? ''));
    // What is in the database is answered all the same.
    expect((await server.hangar(['logs', second])).stdout).toContain('line 500');
    await store.start();
    await until('the second job ends', async () => (await status(second)).state === 'succeeded');

    const file = join(server.dir, 'backup.tgz');
    const saved = await server.hangar(['server', 'backup', file], { env: server.env });
    expect(saved).toMatchObject({ exitCode: 0 });
    const other = await make('second', { HANGAR_MASTER_KEY_FILE: server.env.HANGAR_MASTER_KEY_FILE ?? '' });
    expect(await other.hangar(['server', 'restore', file], { env: other.env })).toMatchObject({ exitCode: 0 });
    const again = await other.hangar(['server', 'restore', file], { env: other.env });
    expect(again.stderr).toMatch(/\[restore_not_empty\]|already/);
    await other.start();
    await other.signIn();
    for (const id of [first, second]) {
      const log = await other.hangar(['logs', id]);
      expect(log.stdout.split('\n').filter((line) => /^line \d+$/.test(line))).toHaveLength(500);
      const diff = join(other.dir, `${id}.diff`);
      expect(await other.hangar(['pull', id, '--output', diff], { cwd: repo })).toMatchObject({ exitCode: 0 });
      expect(readFileSync(diff, 'utf8')).toContain('+done');
    }
  }, 240_000);

  it('does not start where the bucket is not there, and says so', async () => {
    const server = await make('third', { HANGAR_BLOB_URL: `s3://no-such-bucket?endpoint=${store.endpoint}` });
    await expect(server.start()).rejects.toThrow(/bucket no-such-bucket cannot be used/);
    const wrong = await make('fourth', { HANGAR_BLOB_URL: 's3://key:secret@bucket' });
    await expect(wrong.start()).rejects.toThrow(/holds credentials/);
    expect(wrong.output).not.toContain('secret@');
  }, 60_000);
}
