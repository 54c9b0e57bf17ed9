import { mkdtempSync, rmSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { counted, countedTo, ServerHere } from '../cuts/server-here.ts';
import { freePort, makeRepo, ServerProcess } from '../server-process.ts';
import { fill, mountSmall } from './small-disk.ts';

const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

const probe = mkdtempSync(join(tmpdir(), 'hangar-probe-'));
const tried = mountSmall(probe, 1);
if (!('skipped' in tried)) tried.unmount();
rmSync(probe, { recursive: true, force: true });
const skipped = 'skipped' in tried ? tried.skipped : null;
if (skipped) console.warn(`disk full: skipped: ${skipped}`);

/** With a small disk at this place of its data directory. */
async function onSmallDisk(place: string, megabytes: number): Promise<ServerHere> {
  const server = await ServerHere.start({
    env: { HANGAR_CHECKPOINT_SECONDS: '3600' },
    prepare: (dataDir) => {
      const mounted = mountSmall(join(dataDir, place), megabytes);
      return () => ('skipped' in mounted ? undefined : mounted.unmount());
    },
    patience: { silenceMs: 4_000 },
  });
  closing.push(() => server.close());
  return server;
}

/** What the command line says when it sends a job. */
async function trySending(server: ServerHere, name: string) {
  const repo = await makeRepo(join(server.dir, name), { 'big.txt': 'x'.repeat(200_000) });
  const sent = await server.cli.hangar(['run', '--cloud', '--spec', '-', '--json'], {
    cwd: repo,
    env: server.env(),
    input: '# Try\n\n```sh\ntrue\n```\n',
  });
  const { error } = JSON.parse(sent.stdout) as { error?: { code: string; wayOut: string } };
  return { exitCode: sent.exitCode, error };
}

describe.concurrent('no place to write to', () => {
  it.skipIf(skipped !== null)(
    'the disk of the server is full: it says so, and goes on once there is space',
    async () => {
      const server = await onSmallDisk('blobs', 16);
      const id = await server.send(
        'echo begun; sleep 2; for i in $(seq 1 300); do echo "line $i"; done; head -c 300000 /dev/urandom | base64 > noise.txt',
      );
      await server.saw(id, 'begun');
      const filler = fill(join(server.dir, 'data/blobs'));
      const { job } = await server.watch(
        id,
        ({ finishedAt, reason }) => finishedAt !== null || /Trying again/.test(reason),
      );
      expect(job).toMatchObject({
        state: 'collecting',
        reason: 'There is no space left on the disk. Trying again',
      });
      expect(await trySending(server, 'while-full')).toMatchObject({
        exitCode: 4,
        error: { code: 'disk_full', wayOut: expect.stringContaining('Free space') },
      });
      expect((await fetch(`${server.cli.url}/readyz`)).status).toBe(200);
      expect(counted(await server.log(id))).toEqual(countedTo(300));

      filler.free();
      const { job: end } = await server.ended(id);
      expect(end).toMatchObject({ state: 'succeeded', failure: null, diff: { filesChanged: 1, partial: false } });
      expect(await trySending(server, 'after')).toMatchObject({ exitCode: 0 });
      expect(counted(await server.log(id))).toEqual(countedTo(300));
    },
    120_000,
  );

  it.skipIf(skipped !== null)(
    'a job fills the disk it works on: it ends with that as its reason',
    async () => {
      const server = await onSmallDisk('', 200);
      const noisy = await server.send('head -c 400M /dev/zero > zeros || echo "the agent does not mind"');
      const { job } = await server.ended(noisy);
      expect(job).toMatchObject({ state: 'failed', failure: { code: 'disk_full' } });
      expect(job.failure?.wayOut).not.toBe('');
      expect((await server.log(noisy)).join('\n')).toContain('the agent does not mind');
      // Its files go with it, soon after its end is known, and the next one has its place.
      const deadline = Date.now() + 30_000;
      while ((await trySending(server, `after-${Date.now()}`)).error?.code === 'disk_full' && Date.now() < deadline)
        await sleep(200);
      const { job: next } = await server.ended(await server.send('echo fine > fine.txt'));
      expect(next).toMatchObject({ state: 'succeeded', diff: { filesChanged: 1 } });
    },
    120_000,
  );

  it.skipIf(skipped !== null)(
    'database, blobs and work trees on one full disk: nothing that was stored is lost',
    async () => {
      const dir = mkdtempSync(join(tmpdir(), 'hangar-full-'));
      const mounted = mountSmall(join(dir, 'data'), 420);
      const server = new ServerProcess(dir, await freePort());
      closing.push(async () => {
        await server.kill('SIGTERM');
        if (!('skipped' in mounted)) mounted.unmount();
        await server.remove();
      });
      await server.start();
      await server.signIn();
      const repo = await makeRepo(join(dir, 'repo'));
      const spec = join(dir, 'spec.md');
      const filler200 = 'z'.repeat(200);
      await writeFile(
        spec,
        `# Count\n\n\`\`\`sh\nfor i in $(seq 1 400); do echo "line $i"; echo ${filler200}; sleep 0.04; done; echo done > result.txt\n\`\`\`\n`,
      );
      const sent = await server.hangar(['run', '--cloud', '--spec', spec, '--json'], { cwd: repo });
      const { id } = JSON.parse(sent.stdout) as { id: string };
      const log = async () => (await server.hangar(['logs', id])).stdout.split('\n');
      for (let turn = 0; turn < 100 && counted(await log()).length < 20; turn++) await sleep(200);
      const stored = counted(await log());

      const full = fill(join(dir, 'data'));
      await sleep(8_000);
      expect(server.pid).toBeGreaterThan(0);
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
      full.free();

      const deadline = Date.now() + 90_000;
      let job: { state: string; finishedAt: string | null; diff: unknown; reason: string } | null = null;
      while (Date.now() < deadline && !job?.finishedAt) {
        const { stdout } = await server.hangar(['status', id, '--json']);
        job = stdout.startsWith('{"error"') ? null : JSON.parse(stdout);
        await sleep(300);
      }
      expect(job, server.output.slice(-3000)).toMatchObject({
        state: 'succeeded',
        diff: { filesChanged: 1, partial: false },
      });
      const all = counted(await log());
      expect(all.slice(0, stored.length)).toEqual(stored);
      expect(all).toEqual(countedTo(400));
    },
    180_000,
  );

  it('the blob store is no folder any more: a clear error, and it goes on when it is back', async () => {
    const server = await ServerHere.start({ env: { HANGAR_CHECKPOINT_SECONDS: '3600' } });
    closing.push(() => server.close());
    const blobs = join(server.dir, 'data/blobs');
    const id = await server.send('echo begun; sleep 3; echo done > result.txt');
    await server.saw(id, 'begun');
    await rename(blobs, `${blobs}.away`);
    await writeFile(blobs, 'not a folder');
    const { job } = await server.watch(
      id,
      ({ finishedAt, reason }) => finishedAt !== null || /Trying again$/.test(reason),
    );
    expect(job).toMatchObject({ state: 'collecting' });
    expect(job.reason).toContain('something else is in its place');
    expect(await trySending(server, 'while-away')).toMatchObject({ exitCode: 4, error: { code: 'data_dir_unusable' } });
    expect((await server.log(id)).join('\n')).toContain('begun');
    rmSync(blobs);
    await rename(`${blobs}.away`, blobs);
    const { job: end } = await server.ended(id);
    expect(end).toMatchObject({ state: 'succeeded', diff: { filesChanged: 1, partial: false } });
    expect(await trySending(server, 'back')).toMatchObject({ exitCode: 0 });
  }, 120_000);
});
