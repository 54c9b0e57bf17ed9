import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import type { JobsOfSandboxes } from './needs.ts';
import { ada, Backend, bob, buildServer, code, command, request, until } from './testing/sandboxes-parts.ts';

type Server = ReturnType<typeof buildServer>;
const JOB = 'j_7k2m9p4x1a';
const ID = 'a'.repeat(40);
const never = new AbortController().signal;

/** In place of the worker: says what it was given, and does what the job is called. */
const program = (does: string) => `
import { existsSync, mkdirSync, writeFileSync, readFileSync } from 'node:fs';
const dir = process.env.HANGAR_WORKER_DIR;
const order = JSON.parse(process.env.HANGAR_TREE_ORDER);
const tell = (word) => console.log(JSON.stringify(word));
mkdirSync(dir + '/tree', { recursive: true });
writeFileSync(dir + '/tree/order', JSON.stringify(order));
const prepared = { path: dir + '/tree', commit: '${ID}', tree: '${ID}' };
${does}
`;
const PREPARES = `writeFileSync(dir + '/tree/times', (existsSync(dir + '/tree/times') ? readFileSync(dir + '/tree/times', 'utf8') : '') + 'once ');
tell({ say: 'Cloning it' }); setTimeout(() => tell({ prepared }), 700);`;

const files = (more: Partial<Awaited<ReturnType<JobsOfSandboxes['filesOf']>>> = {}) => ({
  repo: { url: null, ref: null, commit: ID, bundle: true, patch: false, allowLocal: false },
  credential: { kind: 'https-token' as const, host: null, username: null, value: 's3cret-of-ada', knownHosts: null },
  ...{ diff: true, partial: true, open: async (what: string) => Readable.from([`the ${what}`]) },
  ...more,
});
const jobs = (more: Partial<JobsOfSandboxes> = {}): JobsOfSandboxes => ({
  workerEnded: async () => undefined,
  async originOf(userId, id) {
    if (userId !== ada.userId || id !== JOB) throw new HangarError('job_not_found');
    return { profile: 'local', image: 'node:24', resources: { cpus: 2 }, env: { OF_JOB: 'job', BOTH: 'job' } };
  },
  filesOf: async () => files(),
  ...more,
});

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let backend: Backend;
let servers: Server[];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from sandbox');
  backend = new Backend({ pauses: true });
  servers = [];
});
afterEach(async () => {
  for (const one of servers) await one.stop();
  await backend.close();
});

async function serving(does: string, more: Partial<JobsOfSandboxes> = {}): Promise<Server> {
  const brought = { programs: { worker: { text: program(does) } }, nodeFile: process.execPath };
  const one = buildServer(database, backend, { jobs: jobs(more), brought });
  await one.start();
  servers.push(one);
  return one;
}
const reach = (server: Server, id: string, state: string) =>
  until(
    () => server.sandboxes.get(ada, id),
    (seen) => seen.state === state,
    state,
  );
async function printed(server: Server, sandbox: string, shell: string): Promise<string> {
  const { id } = await server.sandboxes.execute(ada, command(sandbox, shell));
  await until(
    () => server.sandboxes.execution(ada, id),
    (seen) => seen.finishedAt !== null,
    'its end',
  );
  const { lines } = await server.logs.read(id, { limit: 100 });
  return lines.map(({ text }) => Buffer.from(text.slice(text.indexOf(':') + 1), 'base64').toString()).join('');
}

it('takes over what the job had, and what was said counts more', async () => {
  const server = await serving(PREPARES);
  const { id } = await server.sandboxes.open(
    ada,
    request({ job: JOB, env: { BOTH: 'mine' }, resources: { pids: 99 } }),
  );
  const shown = await reach(server, id, 'running');
  expect(shown).toMatchObject({
    job: JOB,
    image: 'node:24',
    resources: { cpus: 2, pids: 99 },
    tree: { partial: true },
  });
  expect(shown.envNames).toEqual(['BOTH', 'OF_JOB']);
  expect(await printed(server, id, 'echo $OF_JOB $BOTH $HANGAR_JOB_ID; pwd -P')).toBe(
    `job mine ${JOB}\n${shown.tree?.path}\n`,
  );
  expect(await printed(server, id, 'cat ../run/bundle ../run/job-diff')).toBe('the bundlethe diff');
  expect(await printed(server, id, 'cat order')).toContain('s3cret-of-ada');
  // In the environment of that program alone, and in no file that Hangar made.
  expect(
    await printed(server, id, 'rm order; word=s3cret; grep -rl "$word-of-ada" "$HOME" .. 2>/dev/null; echo none'),
  ).toBe('none\n');
});

it('is of the own jobs alone', async () => {
  const server = await serving(PREPARES);
  expect(await code(server.sandboxes.open(bob, request({ job: JOB })))).toBe('job_not_found');
  expect(await code(server.sandboxes.open({ ...bob, everybody: true }, request({ job: JOB })))).toBe('job_not_found');
});

it('runs once its files lie there, and not before', async () => {
  const server = await serving(PREPARES);
  const { id } = await server.sandboxes.open(ada, request({ job: JOB }));
  const early = await server.sandboxes.execute(ada, command(id, 'cat times'));
  const seen = await until(
    () => server.sandboxes.get(ada, id),
    ({ reason, state }) => reason === 'Cloning it' || state === 'running',
    'what it does',
  );
  expect(seen).toMatchObject({ state: 'starting', tree: null, readyAt: null });
  await reach(server, id, 'running');
  await until(
    () => server.sandboxes.execution(ada, early.id),
    ({ state }) => state === 'succeeded',
    'what was asked for early',
  );
});

it('is laid out once, though the server is another one then and the way to the machine breaks again and again', async () => {
  const first = await serving(PREPARES);
  const { id } = await first.sandboxes.open(ada, request({ job: JOB }));
  await until(
    () => first.sandboxes.get(ada, id),
    ({ reason, state }) => reason === 'Cloning it' || state === 'running',
    'its beginning',
  );
  servers = [];
  await first.stop();
  let opened = 0;
  backend.breaks = () => (++opened % 4 === 0 ? 40 : Number.POSITIVE_INFINITY);
  const second = await serving(PREPARES);
  await reach(second, id, 'running');
  backend.breaks = () => Number.POSITIVE_INFINITY;
  expect(await printed(second, id, 'cat times')).toBe('once ');
});

it.each([
  [
    'what the program says',
    `tell({ failure: { code: 'repo_auth_failed', message: 'No.', wayOut: 'Ask.' } }); process.exitCode = 1;`,
    'repo_auth_failed',
  ],
  [
    'a code that nobody knows',
    `tell({ failure: { code: 'x', message: 'No.', wayOut: 'Ask.' } }); process.exitCode = 1;`,
    'tree_not_prepared',
  ],
  [
    'words that no row can hold',
    `tell({ say: 'a\\0b' }); tell({ failure: { code: 'x', message: 'No\\0.\\ud800', wayOut: 'Ask\\0.' } }); process.exitCode = 1;`,
    'tree_not_prepared',
  ],
  ['a program that breaks', `throw new Error('out of luck');`, 'tree_not_prepared'],
  ['a program that lies of where it is', `tell({ prepared: { ...prepared, path: 'tree' } });`, 'tree_not_prepared'],
  [
    'a program that never stops talking',
    `for (let n = 0; n < 100; n++) console.log('x'.repeat(65536)); setTimeout(() => {}, 600_000);`,
    'tree_not_prepared',
  ],
])('fails with %s, and leaves no machine', async (_what, does, expected) => {
  const server = await serving(does);
  const { id } = await server.sandboxes.open(ada, request({ job: JOB }));
  const shown = await reach(server, id, 'failed');
  expect(shown.failure).toMatchObject({ code: expected, wayOut: expect.stringMatching(/\w/) });
  await until(async () => backend.removed.includes(id), Boolean, 'its machine to go');
});

it('fails where what the job was sent with is gone', async () => {
  const gone = new HangarError('upload_not_found', { message: 'Not kept.', wayOut: 'Send it again.' });
  const server = await serving(PREPARES, {
    filesOf: async () => {
      throw gone;
    },
  });
  const { id } = await server.sandboxes.open(ada, request({ job: JOB }));
  expect((await reach(server, id, 'failed')).failure).toEqual({
    ...{ code: 'upload_not_found', message: 'Not kept.', wayOut: 'Send it again.' },
  });
});

it('is closed while its files are laid out', async () => {
  const server = await serving(`tell({ say: 'Cloning it' }); setTimeout(() => {}, 600_000);`);
  const { id } = await server.sandboxes.open(ada, request({ job: JOB }));
  await until(
    () => server.sandboxes.get(ada, id),
    ({ reason }) => reason === 'Cloning it',
    'its beginning',
  );
  await server.sandboxes.close(ada, id, { keep: false });
  await reach(server, id, 'closed');
});

const MAKES = `
if (order.kind === 'prepare') tell({ prepared });
else {
  mkdirSync(dir + '/diffs', { recursive: true });
  writeFileSync(dir + '/diffs/' + order.id, 'the diff\\n');
  tell({ made: { filesChanged: 1, insertions: 1, deletions: 0, sizeBytes: 9, file: '/etc/passwd', path: order.path, commit: '${ID}', sha256: '${'b'.repeat(64)}' } });
}`;

it('makes diffs of its own machine for its owner alone, of one place and no other', async () => {
  const server = await serving(MAKES);
  const { id } = await server.sandboxes.open(ada, request({ job: JOB }));
  const { tree } = await reach(server, id, 'running');
  const made = await server.diffs.make(ada, { id }, never);
  expect(made).toMatchObject({ path: tree?.path, filesChanged: 1 });
  const text = await (await server.diffs.read(ada, id, made.diff, never)).toArray();
  expect(Buffer.concat(text).toString()).toBe('the diff\n');
  for (const who of [bob, { ...bob, everybody: true }]) {
    expect(await code(server.diffs.make(who, { id }, never))).toBe('sandbox_not_found');
    expect(await code(server.diffs.read(who, id, made.diff, never))).toBe('sandbox_not_found');
  }
  expect(await code(server.diffs.read(ada, id, '0'.repeat(20), never))).toBe('diff_expired');
  expect(await code(server.diffs.make(ada, { id, base: 'HEAD' }, never))).toBe('validation_failed');
  expect(await code(server.diffs.make(ada, { id, path: '/', base: 'HEAD' }, never))).toBe('no error');
  await server.sandboxes.close(ada, id, { keep: false });
  await reach(server, id, 'closed');
  expect(await code(server.diffs.make(ada, { id }, never))).toBe('sandbox_closed');
  expect(existsSync(tree?.path ?? '/')).toBe(false);
});

it.each([
  ['a break', `console.error('out of luck'); process.exit(3);`, 'out of luck'],
  [
    'git that was killed',
    `tell({ failure: { code: 'git_killed', message: 'of the job', wayOut: 'retry' } }); process.exit(1);`,
    'git was killed',
  ],
  ['another word', 'tell({ prepared });', ''],
])('a diff that fails with %s is told in words of a sandbox', async (_what, does, says) => {
  const server = await serving(`if (order.kind === 'prepare') tell({ prepared }); else { ${does} }`);
  const { id } = await server.sandboxes.open(ada, request({ job: JOB }));
  await reach(server, id, 'running');
  const refused = await server.diffs.make(ada, { id }, never).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'diff_not_made', message: expect.stringContaining(says) });
  expect(String((refused as Error).message)).not.toMatch(/job/i);
});
