import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { WorkOrder } from '@hangar/contract';

/** A folder that is removed when the test file ends (call `clean` in afterAll). */
export function tempFolders(): { make(): string; clean(): void } {
  const made: string[] = [];
  return {
    make: () => {
      const dir = mkdtempSync(join(tmpdir(), 'hangar-worker-'));
      made.push(dir);
      return dir;
    },
    clean: () => {
      for (const dir of made) rmSync(dir, { recursive: true, force: true });
    },
  };
}

const GIT_ENV = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'T',
  GIT_AUTHOR_EMAIL: 't@example.com',
  GIT_COMMITTER_NAME: 'T',
  GIT_COMMITTER_EMAIL: 't@example.com',
};

export const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], {
    cwd,
    env: GIT_ENV,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  }).trim();

/** A repository with one commit of these files. */
export function makeRepo(dir: string, files: Record<string, string | Buffer>): { dir: string; commit: string } {
  mkdirSync(dir, { recursive: true });
  git(dir, 'init', '-q', '-b', 'main');
  return { dir, commit: commitFiles(dir, files, 'first') };
}

export function commitFiles(dir: string, files: Record<string, string | Buffer>, message: string): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  git(dir, 'add', '-A');
  git(dir, 'commit', '-q', '-m', message);
  return git(dir, 'rev-parse', 'HEAD');
}

export function bundleOf(repo: string, file: string): string {
  git(repo, 'bundle', 'create', '-q', file, '--all');
  return file;
}

export function makeOrder(over: Partial<WorkOrder>): WorkOrder {
  return {
    jobId: 'j_0123456789abcdef',
    attempt: 1,
    title: 'A job',
    spec: '# Do it\n\n```sh\necho hello > hello.txt\n```\n',
    agent: 'shell',
    repo: { url: null, ref: null, commit: null, bundle: true, patch: false, allowLocal: true },
    credential: null,
    env: {},
    timeoutSeconds: 60,
    heartbeatSeconds: 5,
    checkpointSeconds: 120,
    limits: { logBytes: 200 * 1024 * 1024, artifactBytes: 300 * 1024 * 1024 },
    ...over,
  };
}
