import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleOf, makeRepo } from '../../packages/worker/src/testing/fixtures.ts';
import { AbusedServer, type Person, PLANTED } from './abused-server.ts';
import { fuzz, installSchemathesis, listenBetween } from './schemathesis.ts';

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string }[];
}

const SPEC = `# A secret plan

\`\`\`sh
echo changed > a.txt; echo her report > "$HANGAR_ARTIFACTS/report.txt"; echo "out: $KEY"
\`\`\`
`;

let server: AbusedServer;
let operations: { method: string; path: string; operation: Operation }[];
/** What belongs to Ada. */
let hers: Record<
  'job' | 'upload' | 'apiKey' | 'device' | 'activity' | 'credential' | 'profile' | 'sandbox' | 'execution',
  string
>;

beforeAll(async () => {
  server = await AbusedServer.start();
  const document = await server.must('GET', '/openapi.json');
  const paths = document.paths as Record<string, Record<string, Operation>>;
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  hers = await makeHers();
}, 120_000);
afterAll(() => server?.process.remove());

async function makeHers() {
  const { ada } = server.people;
  const repo = makeRepo(join(server.process.dir, 'ada'), { 'a.txt': 'a\n' });
  const upload = await server.upload(ada, bundleOf(repo.dir, join(server.process.dir, 'ada.bundle')));
  const credential = 'adas-own';
  await server.must('POST', '/credentials', {
    as: ada,
    json: { name: credential, kind: 'https-token', value: PLANTED.credential },
  });
  const job = await server.must('POST', '/jobs', {
    as: ada,
    json: {
      spec: SPEC,
      repo: { bundle: upload, commit: repo.commit, name: 'adas/secret-repository' },
      env: { KEY: PLANTED.env },
      credential,
      group: 'adas-group',
      idempotencyKey: 'adas-own-key',
    },
  });
  const ended = await server.ended(ada, String(job.id));
  expect(ended, ended.reason).toMatchObject({ state: 'succeeded', diff: { filesChanged: 1 } });
  const opened = { as: ada, json: { profile: 'local', env: { KEY: PLANTED.env } } };
  const sandbox = String((await server.must('POST', '/drivers/connect', opened)).id);
  const command = { sandbox, command: ['sh', '-c', 'echo "out: $KEY"'], env: { KEY: PLANTED.env } };
  const execution = String((await server.must('POST', '/drivers/execute', { as: ada, json: command })).id);
  // It ends with the execution.
  await server.ask('GET', `/drivers/status?execution=${execution}`, { as: ada });
  expect(await server.must('GET', `/drivers/executions/${execution}`, { as: ada })).toMatchObject({
    state: 'succeeded',
  });
  const keys = (await server.must('GET', '/api-keys', { as: ada })).items as { id: string }[];
  const devices = await signInADevice(ada);
  const activity = (await server.must('GET', '/devops/activity', { as: ada })).recent as { id: string }[];
  return {
    ...{ job: ended.id, upload, credential, sandbox, execution, profile: await makeProfile(ada) },
    ...{ apiKey: keys[0]?.id ?? '', device: devices, activity: activity[0]?.id ?? '' },
  };
}

/** A personal one, written down as the server does, so that no machine has to be there. */
async function makeProfile({ id }: Person): Promise<string> {
  const name = 'adas-own-box';
  const client = new pg.Client({
    host: join(server.process.dir, 'data/postgres'),
    user: 'hangar',
    database: 'postgres',
  });
  await client.connect();
  try {
    const row = [`${id}/${name}`, id, { host: 'box.example.org' }];
    await client.query(
      `insert into profile (name, user_id, driver, settings, limits) values ($1, $2, 'ssh', $3, '{}')`,
      row,
    );
    await client.query(
      `insert into profile_revision (profile, revision, driver, settings, limits) values ($1, 1, 'ssh', $2, '{}')`,
      [row[0], row[2]],
    );
  } finally {
    await client.end();
  }
  expect(await server.must('GET', `/profiles/${name}`, { as: server.people.ada })).toMatchObject({ personal: true });
  return name;
}

async function signInADevice(person: Person): Promise<string> {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const begun = await server.must('POST', '/auth/device', { body: 'client_id=hangar-cli', headers: form });
  const path = `/device-requests/${begun.user_code}`;
  await server.must('POST', path, { cookie: person.cookie, json: { approve: true } });
  const grant = 'grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=hangar-cli';
  await server.must('POST', '/auth/token', { body: `${grant}&device_code=${begun.device_code}`, headers: form });
  const { items } = await server.must('GET', '/devices', { cookie: person.cookie });
  return (items as { id: string }[])[0]?.id ?? '';
}

const NOTHING: typeof hers = {
  ...{ job: 'j_00000000zzzzzzzz', upload: 'up_00000000zzzzzz', apiKey: 'k_00000000zzzzzzzz' },
  ...{ device: 'd_00000000zzzzzzzz', activity: 'a_00000000zzzzzzzz', credential: 'nobodys' },
  ...{ sandbox: 's_00000000zzzzzzzz', execution: 'e_00000000zzzzzzzz' },
  profile: 'nobodys-box',
};

type Ids = typeof hers;
interface Probe {
  readonly path: string;
  readonly json?: unknown;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

const MESSAGE = { message: { type: 'DEVOPS_COMPLETE' } };
const COMMIT = 'a'.repeat(40);

/** How each route that names a thing is asked for it. A route of the document that is not here fails the test. */
const PROBES: Readonly<Record<string, (ids: Ids) => Probe[]>> = {
  'DELETE /api-keys/{id}': ({ apiKey }) => [{ path: `/api-keys/${apiKey}` }],
  'DELETE /devices/{id}': ({ device }) => [{ path: `/devices/${device}` }],
  'DELETE /credentials/{name}': ({ credential }) => [{ path: `/credentials/${credential}` }],
  'GET /jobs/{id}': ({ job }) => [{ path: `/jobs/${job}` }],
  'POST /jobs/{id}/cancel': ({ job }) => [{ path: `/jobs/${job}/cancel` }],
  'POST /jobs/{id}/retry': ({ job }) => [{ path: `/jobs/${job}/retry` }],
  'GET /jobs/{id}/artifacts': ({ job }) => [{ path: `/jobs/${job}/artifacts` }],
  'GET /jobs/{id}/artifacts/diff': ({ job }) => [{ path: `/jobs/${job}/artifacts/diff` }],
  'GET /jobs/{id}/artifacts/{name}': ({ job }) => [
    { path: `/jobs/${job}/artifacts/report.txt` },
    { path: `/jobs/${job}/artifacts/none.txt` },
    { path: `/jobs/${job}/artifacts/..%2f..%2freport.txt` },
  ],
  'GET /jobs/{id}/logs': ({ job }) => [
    { path: `/jobs/${job}/logs` },
    { path: `/jobs/${job}/logs?format=text` },
    { path: `/jobs/${job}/logs?format=gz` },
    { path: `/jobs/${job}/logs?follow=true` },
    { path: `/jobs/${job}/logs?grep=out` },
    { path: `/jobs/${job}/logs`, headers: { accept: 'text/event-stream', 'last-event-id': '1' } },
  ],
  'GET /devops/activity/{id}': ({ activity }) => [{ path: `/devops/activity/${activity}` }],
  'POST /devops/activity/{id}/messages': ({ activity }) => [
    { path: `/devops/activity/${activity}/messages`, json: MESSAGE },
  ],
  'POST /drivers/connect': ({ sandbox, job }) => [
    { path: '/drivers/connect', json: { sandbox } },
    { path: '/drivers/connect', json: { job } },
  ],
  'POST /drivers/sessions/{id}/diff': ({ sandbox }) => [
    { path: `/drivers/sessions/${sandbox}/diff`, json: {} },
    { path: `/drivers/sessions/${sandbox}/diff`, json: { path: '/', base: 'HEAD' } },
  ],
  'GET /drivers/sessions/{id}/diff/{diff}': ({ sandbox }) => [
    { path: `/drivers/sessions/${sandbox}/diff/0123456789abcdef0123` },
  ],
  'GET /drivers/sessions/{id}': ({ sandbox }) => [{ path: `/drivers/sessions/${sandbox}` }],
  'GET /drivers/sessions/{id}/executions': ({ sandbox }) => [{ path: `/drivers/sessions/${sandbox}/executions` }],
  'POST /drivers/disconnect': ({ sandbox }) => [
    { path: '/drivers/disconnect', json: { id: sandbox } },
    { path: '/drivers/disconnect', json: { id: sandbox, keep: true } },
  ],
  'POST /drivers/pause': ({ sandbox }) => [{ path: '/drivers/pause', json: { id: sandbox } }],
  'POST /drivers/resume': ({ sandbox }) => [{ path: '/drivers/resume', json: { id: sandbox } }],
  'POST /drivers/execute': ({ sandbox }) => [{ path: '/drivers/execute', json: { sandbox, command: ['true'] } }],
  'GET /drivers/executions/{id}': ({ execution }) => [{ path: `/drivers/executions/${execution}` }],
  'POST /drivers/cancel': ({ execution }) => [{ path: '/drivers/cancel', json: { id: execution } }],
  'GET /drivers/executions/{id}/output': ({ execution }) => [{ path: `/drivers/executions/${execution}/output` }],
  'GET /drivers/status': ({ execution }) => [{ path: `/drivers/status?execution=${execution}` }],
  'GET /drivers/terminal': ({ execution }) => [{ path: `/drivers/terminal?execution=${execution}` }],
  'POST /drivers/executions/{id}/input': ({ execution }) => [
    {
      path: `/drivers/executions/${execution}/input?at=0`,
      body: 'x',
      headers: { 'content-type': 'application/octet-stream' },
    },
  ],
  ...Object.fromEntries(
    ['files', 'files/stat', 'files/content', 'files/tar', 'platform', 'resources'].map((path) => [
      `GET /drivers/${path}`,
      ({ sandbox }: Ids) => [
        { path: `/drivers/${path}?sandbox=${sandbox}${path.startsWith('files') ? '&path=/etc/hostname' : ''}` },
      ],
    ]),
  ),
  ...Object.fromEntries(
    ['content', 'tar'].map((what) => [
      `PUT /drivers/files/${what}`,
      ({ sandbox }: Ids) => [
        {
          path: `/drivers/files/${what}?sandbox=${sandbox}&path=/tmp/not-mine`,
          body: 'x',
          headers: { 'content-type': 'application/octet-stream' },
        },
      ],
    ]),
  ),
  'POST /drivers/files/folder': ({ sandbox }) => [
    { path: '/drivers/files/folder', json: { sandbox, path: '/tmp/not-mine' } },
  ],
  'POST /drivers/files/move': ({ sandbox }) => [
    { path: '/drivers/files/move', json: { sandbox, path: '/tmp/a', to: '/tmp/b' } },
  ],
  'DELETE /drivers/files': ({ sandbox }) => [
    { path: '/drivers/files', json: { sandbox, path: '/tmp/a', recursive: true } },
  ],
  ...Object.fromEntries(
    [
      ...['GET /profiles/{name}', 'PATCH /profiles/{name}', 'DELETE /profiles/{name}', 'POST /profiles/{name}/default'],
      ...['POST /profiles/{name}/test', 'GET /drivers/{name}', 'PUT /drivers/{name}', 'DELETE /drivers/{name}'],
      'POST /drivers/{name}/activate',
    ].map((route) => [
      route,
      ({ profile }: Ids) => {
        const [method = '', path = ''] = route.split(' ');
        const json = method === 'GET' ? {} : { json: {} };
        return [{ path: path.replace('{name}', profile), ...json }];
      },
    ]),
  ),
  'POST /jobs': ({ upload, credential, profile }) => [
    { path: '/jobs', json: { spec: SPEC, repo: { bundle: upload, commit: COMMIT } } },
    { path: '/jobs', json: { spec: SPEC, repo: { url: 'https://git.example/x', patch: upload, commit: COMMIT } } },
    { path: '/jobs', json: { spec: SPEC, repo: { url: 'https://git.example/x' }, credential } },
    { path: '/jobs', json: { spec: SPEC, repo: { url: 'https://git.example/x' }, profile } },
  ],
  // Lists and searches that take an id or a name as a filter.
  'GET /jobs': ({ job, profile }) => [
    { path: `/jobs?profile=${profile}` },
    { path: `/jobs?search=${job}` },
    { path: `/jobs?cursor=${Buffer.from(`2099-01-01T00:00:00.000Z ${job}`).toString('base64url')}` },
  ],
  'GET /search': (ids) => [ids.job, ids.credential, ids.profile].map((text) => ({ path: `/search?q=${text}` })),
  'GET /devops/activity': ({ job }) => [{ path: `/devops/activity?correlationId=${job}` }],
  // For admins only, whatever it is.
  ...Object.fromEntries(
    ['PATCH /users/{id}', 'POST /users/{id}/sign-in-link'].map((route) => [
      route,
      () => [{ path: route.split(' ')[1]?.replace('{id}', server.people.ada.id) ?? '', json: {} }],
    ]),
  ),
  'GET /k8s/pods/{namespace}/{name}': () => [{ path: '/k8s/pods/default/hangar' }],
  'GET /k8s/pods/{namespace}/{name}/log': () => [{ path: '/k8s/pods/default/hangar/log' }],
  'DELETE /invites/{id}': () => [{ path: '/invites/i_1234567890' }],
};

/** What belongs to nobody: plans are the server's. A user code is known to whoever reads the screen. */
const SHARED = /\/(plans\/\{id\}|device-requests\/\{userCode\}|worker\/)/;

describe('what belongs to another', () => {
  it('every route that names a thing is asked', () => {
    const open = operations
      .filter(({ path }) => path.includes('{') && !SHARED.test(path))
      .map(({ method, path }) => `${method} ${path}`)
      .filter((route) => !(route in PROBES));
    expect(open).toEqual([]);
  });

  it.each(['API key', 'session'])('looks by %s as if it were not there', async (kind) => {
    const { bob } = server.people;
    const proof = kind === 'session' ? { cookie: bob.cookie } : { as: bob };
    /** Answers name the id that was asked for, and each has a reference of its own. */
    const plain = (text: string, ids: Ids) =>
      Object.entries(ids)
        .reduce((all, [name, id]) => all.replaceAll(id, name), text)
        .replace(/"reference":"[^"]*"/, '');
    let asked = 0;
    for (const [route, probes] of Object.entries(PROBES)) {
      const [method = ''] = route.split(' ');
      const real = probes(hers);
      const none = probes(NOTHING);
      for (const [at, probe] of real.entries()) {
        const other = none[at] ?? probe;
        const first = await server.ask(method, probe.path, { ...probe, ...proof });
        const second = await server.ask(method, other.path, { ...other, ...proof });
        asked += 2;
        expect(first.status, `${route}: ${first.text}`).toBe(second.status);
        expect(plain(first.text, hers), route).toBe(plain(second.text, NOTHING));
        expect(first.headers.get('content-type'), route).toBe(second.headers.get('content-type'));
        expect([...first.headers.keys()].sort(), route).toEqual([...second.headers.keys()].sort());
        if (route.includes('{')) expect(first.status, route).toBeGreaterThanOrEqual(400);
      }
    }
    expect(asked).toBeGreaterThan(50);
    // Nothing was changed, and what was hers still is.
    const { ada } = server.people;
    expect(await server.must('GET', `/jobs/${hers.job}`, { as: ada })).toMatchObject({ state: 'succeeded' });
    expect((await server.must('GET', '/credentials', { as: ada })).items).toHaveLength(1);
    expect(await server.must('GET', `/profiles/${hers.profile}`, { as: ada })).toMatchObject({ isDefault: false });
    expect((await server.ask('GET', `/jobs/${hers.job}/artifacts/report.txt`, { as: ada })).text).toBe('her report\n');
  });

  it.each(['member', 'admin'] as const)('is found by no key or name that a %s may think of', async (who) => {
    const as = who === 'admin' ? server.people.admin : server.people.bob;
    const key = `${server.people.ada.id}/${hers.profile}`;
    for (const name of [hers.profile, encodeURIComponent(key), key]) {
      const answer = await server.ask('GET', `/profiles/${name}`, { as });
      expect([400, 404], `${name}: ${answer.text}`).toContain(answer.status);
      expect(answer.text).not.toContain('box.example.org');
    }
    for (const path of ['/profiles', '/drivers', `/search?q=${hers.profile}`])
      expect((await server.ask('GET', path, { as })).text).not.toMatch(/adas-own-box"|box\.example/);
    const job = { spec: SPEC, repo: { url: 'https://git.example/x' }, profile: key };
    expect((await server.ask('POST', '/jobs', { as, json: job })).json).toMatchObject({
      code: 'validation_failed',
    });
  });

  it('may be called the same without a clash', async () => {
    const { bob } = server.people;
    const named = { name: hers.credential, kind: 'https-token', value: 'ghp_BobsOwnTokenThatIsHis' };
    expect((await server.ask('POST', '/credentials', { as: bob, json: named })).status).toBe(201);
    const wish = {
      spec: SPEC,
      repo: { url: 'https://git.invalid/x' },
      group: 'adas-group',
      idempotencyKey: 'adas-own-key',
    };
    const sent = await server.must('POST', '/jobs', { as: bob, json: wish });
    expect(sent.id).not.toBe(hers.job);
    const inGroup = (await server.must('GET', '/jobs?group=adas-group', { as: bob })).items as { id: string }[];
    expect(inGroup.map(({ id }) => id)).toEqual([sent.id]);
    await server.must('DELETE', `/credentials/${hers.credential}`, { as: bob });
    await server.ended(bob, String(sent.id));
  });

  it('is on no live stream', async () => {
    const { ada, bob } = server.people;
    const streams = ['/events', '/devops/activity/events'].map((path) => listen(path, bob));
    const own = listen('/events', ada);
    await sleep(300);
    const retried = await server.must('POST', `/jobs/${hers.job}/retry`, { as: ada });
    await server.ended(ada, String(retried.id));
    await sleep(300);
    expect(own.close()).toContain(String(retried.id));
    for (const stream of streams) expect(stream.close()).not.toMatch(/event: (job|activity)/);
  });
});

/** Keeps a stream of events open until it is closed. */
function listen(path: string, as: Person): { close(): string } {
  let text = '';
  const call = request(`${server.url}/api${path}`, { headers: { authorization: `Bearer ${as.apiKey}` } }, (answer) => {
    answer.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    answer.on('error', () => undefined);
  });
  call.on('error', () => undefined);
  call.end();
  return {
    close: () => {
      call.destroy();
      return text;
    },
  };
}

const CHECKS = [
  ...['not_a_server_error', 'status_code_conformance', 'content_type_conformance'],
  ...['response_schema_conformance', 'response_headers_conformance', 'ignored_auth'],
];
/** Streams never end; a person who signs out, or removes the key in use, is nobody afterwards. */
const NOT_FOR: Readonly<Record<string, readonly string[]>> = {
  // Nobody but a worker gets beyond the first line there, and that is seen as nobody.
  'a member in a browser': ['^/worker/'],
  'another member with a key': ['^/worker/'],
  // What would run on this machine, or change the other people of this test.
  'an admin with a key': ['^/worker/', '^/jobs', '/users/', '/test$'],
};
/** Streams that end with what they follow, what signs the fuzzer out, and what takes its key. */
const WITHOUT = ['/events$', '^/drivers/(status|resources)$', 'sign-out', '^/api-keys/'];

describe('every route of the document, with whatever fits its schema and what does not (schemathesis)', () => {
  let folder: string | null = null;
  let why = '';
  beforeAll(async () => {
    const installed = await installSchemathesis();
    if ('skipped' in installed) why = installed.skipped;
    else folder = installed.folder;
    // Jobs of the fuzzer have nowhere to run.
    const { admin } = server.people;
    const nowhere = {
      name: 'nowhere',
      driver: 'docker',
      settings: { host: 'unix:///nonexistent.sock' },
      isDefault: true,
    };
    await server.must('POST', '/profiles', { as: admin, json: nowhere });
    // What is open on a profile holds it.
    const ofHers = { as: server.people.ada, json: { id: hers.sandbox } };
    while ((await server.must('POST', '/drivers/disconnect', ofHers)).state !== 'closed') await sleep(200);
    const left = await server.ask('DELETE', '/profiles/local', { as: admin });
    expect(left.status, left.text).toBe(200);
  }, 300_000);

  it.each([
    { who: 'nobody', phases: 'fuzzing', examples: 4 },
    { who: 'a member in a browser', phases: 'coverage,fuzzing', examples: 5 },
    { who: 'another member with a key', phases: 'fuzzing', examples: 6 },
    { who: 'an admin with a key', phases: 'fuzzing', examples: 6 },
  ])(
    'as $who',
    async ({ who, phases, examples }) => {
      if (folder === null) return;
      const { ada, bob, admin } = server.people;
      const headers: Record<string, string> =
        who === 'nobody'
          ? {}
          : who === 'a member in a browser'
            ? { Cookie: ada.cookie, Origin: server.url }
            : { Authorization: `Bearer ${(who === 'an admin with a key' ? admin : bob).apiKey}` };
      const between = await listenBetween(server.url, server.secrets());
      try {
        const ran = await fuzz(folder, {
          document: `${between.url}/api/openapi.json`,
          url: `${between.url}/api`,
          dir: join(server.process.dir, 'fuzz'),
          ...{ phases, examples, headers, checks: CHECKS },
          without: [...WITHOUT, ...(NOT_FOR[who] ?? [])],
        });
        expect(ran.exitCode, ran.output).toBe(0);
        expect(between.leaks).toEqual([]);
        const answers = [...between.statuses].sort(([a], [b]) => a - b);
        console.log(
          `${who}: ${/(\d+) generated/.exec(ran.output)?.[0]}; ${answers.map(([status, n]) => `${n} × ${status}`).join(', ')}`,
        );
        expect([...between.statuses.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThan(100);
        expect(between.statuses.get(200) ?? 0).toBeGreaterThan(0);
      } finally {
        await between.close();
      }
    },
    420_000,
  );

  it('ran, and left no secret and no failure in the log of the server', ({ skip }) => {
    if (folder === null) return skip(why);
    for (const secret of server.secrets()) expect(server.process.output).not.toContain(secret);
    expect(server.process.output.split('\n').filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
  });
});
