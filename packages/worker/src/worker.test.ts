import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkOrder } from '@hangar/contract';
import { afterAll, describe, expect, test } from 'vitest';
import { bundleOf, git, makeOrder, makeRepo, tempFolders } from './testing/fixtures.ts';
import { ProtocolServer } from './testing/protocol-server.ts';

const temp = tempFolders();
afterAll(() => temp.clean());

const MAIN = new URL('main.ts', import.meta.url).pathname;

interface Setup {
  readonly server: ProtocolServer;
  readonly url: string;
  readonly dir: string;
  readonly repo: { dir: string; commit: string };
  /** Starts the worker process; resolves when it has ended. */
  run(): { pid: number; ended: Promise<{ code: number | null; stderr: string }> };
}

async function setup(over: Partial<WorkOrder>, files: Record<string, string> = { 'a.txt': 'one\n' }): Promise<Setup> {
  const base = temp.make();
  const repo = makeRepo(join(base, 'repo'), files);
  const server = new ProtocolServer(
    makeOrder({ repo: { url: null, ref: null, commit: repo.commit, bundle: true, patch: false }, ...over }),
  );
  server.uploads.bundle = bundleOf(repo.dir, join(base, 'bundle'));
  const url = await server.start();
  const dir = join(base, 'work');
  mkdirSync(dir);
  return {
    server,
    url,
    dir,
    repo,
    run: () => {
      const child = spawn(process.execPath, ['--no-warnings', MAIN], {
        env: { PATH: process.env.PATH, HANGAR_WORKER_URL: url, HANGAR_WORKER_DIR: dir },
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      let stderr = '';
      child.stderr.on('data', (text) => {
        stderr += text;
      });
      child.stdin.write(`${server.token}\n`);
      return {
        pid: child.pid ?? 0,
        ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr }))),
      };
    },
  };
}

const applied = (repo: string, diff: Buffer): void => {
  writeFileSync(join(repo, '..', 'the.diff'), diff);
  git(repo, 'apply', '--index', '../the.diff');
};

describe('worker process', () => {
  test('bundle, shell blocks, diff, finish over HTTP', async () => {
    const s = await setup({
      spec: '# Add\n\n```sh\necho hello > hello.txt; echo out; echo err >&2\n```\n\n```sh\nmkdir d; echo x > d/y\n```\n',
    });
    const { code, stderr } = await s.run().ended;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(s.server.finish).toMatchObject({ outcome: 'succeeded', exitCode: 0, failure: null });
    expect(s.server.finish?.diff).toMatchObject({ filesChanged: 2, insertions: 2, deletions: 0, partial: false });
    expect(s.server.texts('stdout')).toEqual(['out']);
    expect(s.server.texts('stderr')).toEqual(['err']);
    expect(s.server.reports.map((report) => report.phase)).toEqual(['cloning', 'running', 'collecting']);
    expect(s.server.reports[1]?.commit).toBe(s.repo.commit);
    const diff = s.server.artifacts.get('diff');
    expect(diff).toMatchObject({ kind: 'diff', partial: false });
    applied(s.repo.dir, diff?.bytes ?? Buffer.alloc(0));
    expect(readFileSync(join(s.repo.dir, 'hello.txt'), 'utf8')).toBe('hello\n');
    expect(existsSync(join(s.repo.dir, 'd/y'))).toBe(true);
    expect(s.server.complaints).toEqual([]);
    await s.server.stop();
  });
});
