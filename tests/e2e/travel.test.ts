import { randomBytes } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commitFiles, git, makeRepo } from '../../packages/worker/src/testing/fixtures.ts';
import { type GitServer, startGitServer } from '../../packages/worker/src/testing/git-server.ts';
import { ServerProcess } from './server-process.ts';

const MIB = 1024 * 1024;
const TOKEN = 'ghp_TravelTravelTravel99';

let server: ServerProcess;
let open: GitServer;
let shut: GitServer;
let spec: string;
let root: string;
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  await server.signIn();
  root = join(server.dir, 'git');
  const { dir } = makeRepo(join(root, 'work'), { 'big.bin': randomBytes(4 * MIB), 'a.txt': 'one\n' });
  commitFiles(dir, { 'a.txt': 'two\n' }, 'second');
  git(root, 'clone', '-q', '--bare', dir, 'repo.git');
  open = await startGitServer(root, null);
  shut = await startGitServer(root, { user: 'x-access-token', password: TOKEN });
  spec = join(server.dir, 'spec.md');
  writeFileSync(spec, '# See\n\n```sh\ncat a.txt; wc -c < big.bin; echo seen > seen.txt\n```\n');
  const added = await server.hangar(['cloud', 'credentials', 'add', 'shut', '--kind', 'https-token'], { input: TOKEN });
  expect(added.exitCode, added.stderr).toBe(0);
});
afterAll(async () => {
  await open?.close();
  await shut?.close();
  await server?.remove();
});

/** A clone with its history, whose remote is at this address. */
function cloneOf(name: string, url: string): string {
  const dir = join(server.dir, name);
  git(server.dir, 'clone', '-q', join(root, 'repo.git'), name);
  git(dir, 'remote', 'set-url', 'origin', url);
  return dir;
}

interface Seen {
  readonly id: string;
  readonly stderr: string;
  readonly state: string;
  readonly failure: { readonly code: string; readonly message: string; readonly wayOut: string } | null;
  readonly log: string;
  /** What was stored for the job, in bytes. */
  readonly sent: number;
}

async function send(cwd: string, ...more: string[]): Promise<Seen> {
  const before = uploaded();
  const ended = await server.hangar(['run', '--cloud', '--spec', spec, '--json', ...more], { cwd });
  expect(ended.exitCode, ended.stderr).toBe(0);
  const sent = uploaded() - before;
  const { id } = JSON.parse(ended.stdout) as { id: string };
  const log = (await server.hangar(['logs', id, '--follow'], { cwd })).stdout;
  const { state, failure } = JSON.parse((await server.hangar(['status', id, '--json'], { cwd })).stdout) as Seen;
  return { id, stderr: ended.stderr, state, failure, log, sent };
}

/** Bytes of all uploads the server has taken. */
const uploaded = (): number =>
  readdirSync(join(server.dir, 'data/blobs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

describe('what travels with a job of a large repository', () => {
  it('is a changed line alone, when everything is pushed', async () => {
    const dir = cloneOf('changed', `${open.url}/repo.git`);
    appendFileSync(join(dir, 'a.txt'), 'mine\n');
    const seen = await send(dir);
    expect(seen.state, seen.log).toBe('succeeded');
    expect(seen.log).toContain(`two\nmine\n${4 * MIB}`);
    expect(seen.sent).toBeLessThan(20_000);
    expect((await server.hangar(['pull', seen.id], { cwd: dir })).exitCode).toBe(0);
    expect(readFileSync(join(dir, 'seen.txt'), 'utf8')).toBe('seen\n');
  }, 120_000);

  it('is the commits that are not pushed, also of a shallow clone and of a merge', async () => {
    const dir = cloneOf('ahead', `${open.url}/repo.git`);
    commitFiles(dir, { 'a.txt': 'three\n' }, 'third');
    git(dir, 'checkout', '-q', '-b', 'side', 'HEAD~2');
    commitFiles(dir, { 'side.txt': 'side\n' }, 'side');
    git(dir, 'checkout', '-q', 'main');
    git(dir, 'merge', '-q', '--no-ff', '-m', 'merge', 'side');
    const seen = await send(dir);
    expect(seen.state, seen.log).toBe('succeeded');
    expect(seen.log).toContain('three');
    expect(seen.sent).toBeLessThan(20_000);

    git(server.dir, 'clone', '-q', '--depth=1', `file://${join(root, 'repo.git')}`, 'cut');
    const cut = join(server.dir, 'cut');
    git(cut, 'remote', 'set-url', 'origin', `${open.url}/repo.git`);
    commitFiles(cut, { 'a.txt': 'four\n' }, 'on top');
    const shallow = await send(cut);
    expect(shallow.state, shallow.log).toBe('succeeded');
    expect(shallow.log).toContain('four');
    expect(shallow.sent).toBeLessThan(20_000);
  }, 120_000);

  it('is all of it for a remote that wants a credential, unless one is named', async () => {
    const dir = cloneOf('private', `${shut.url}/repo.git`);
    // The person's own password for it is not the worker's.
    git(dir, 'config', 'http.extraHeader', `Authorization: Basic ${btoa(`x-access-token:${TOKEN}`)}`);
    commitFiles(dir, { 'a.txt': 'private\n' }, 'not pushed');
    const whole = await send(dir);
    expect(whole.state, whole.log).toBe('succeeded');
    expect(whole.log).toContain('private');
    expect(whole.sent).toBeGreaterThan(4 * MIB);
    expect(whole.stderr).toContain('--credential NAME');

    const thin = await send(dir, '--credential', 'shut');
    expect(thin.state, thin.log).toBe('succeeded');
    expect(thin.log).toContain('private');
    expect(thin.sent).toBeLessThan(20_000);
  }, 120_000);

  it('does not build on a commit that is known to have gone from the remote', async () => {
    git(root, 'clone', '-q', '--bare', 'repo.git', 'rewound.git');
    const bare = join(root, 'rewound.git');
    const dir = cloneOf('rewound', `${open.url}/rewound.git`);
    const gone = commitFiles(dir, { 'a.txt': 'pushed\n' }, 'pushed, then taken back');
    git(dir, 'push', '-q', bare, 'main');
    git(dir, 'update-ref', 'refs/remotes/origin/main', 'HEAD');
    git(bare, 'update-ref', 'refs/heads/main', 'main~1');
    git(bare, 'reflog', 'expire', '--expire=now', '--all');
    git(bare, 'gc', '-q', '--prune=now');
    expect(() => git(bare, 'cat-file', '-e', gone)).toThrow();
    appendFileSync(join(dir, 'a.txt'), 'mine\n');
    const seen = await send(dir);
    expect(seen.state, seen.log).toBe('succeeded');
    expect(seen.log).toContain('pushed\nmine');
    expect(seen.sent).toBeLessThan(20_000);

    // Clean, it is only named; then the failure says what helps.
    git(dir, 'checkout', '-q', '--', 'a.txt');
    const lost = await send(dir);
    expect(lost.failure).toMatchObject({ code: 'ref_not_found', message: expect.stringContaining(gone.slice(0, 12)) });
    expect(lost.failure?.wayOut).toContain('--bundle');
    expect(lost.failure?.wayOut).not.toContain('--ref');
    expect((await send(dir, '--bundle')).state).toBe('succeeded');
  }, 120_000);

  it('names --bundle where the worker is not let in, and --ref only where one was given', async () => {
    const dir = cloneOf('clean', `${shut.url}/repo.git`);
    expect((await send(dir)).failure).toMatchObject({
      code: 'repo_auth_failed',
      wayOut: expect.stringContaining('--bundle'),
    });
    expect((await send(server.dir, '--repo', `${open.url}/repo.git`, '--ref', 'nope')).failure).toMatchObject({
      code: 'ref_not_found',
      wayOut: expect.stringContaining('--ref'),
    });
  }, 120_000);
});
