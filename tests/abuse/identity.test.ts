import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workerTokens } from '../../apps/server/src/features/jobs/worker/worker-token.ts';
import { openSecrets } from '../../apps/server/src/platform/secrets/index.ts';
import { bundleOf, makeRepo } from '../../packages/worker/src/testing/fixtures.ts';
import type { ServerProcess } from '../e2e/server-process.ts';
import { AbusedServer, type Answer, type Person } from './abused-server.ts';

let server: AbusedServer;
/** Another installation, whose tokens are good there. */
let elsewhere: AbusedServer;
let operations: { method: string; path: string; isPublic: boolean }[];

beforeAll(async () => {
  [server, elsewhere] = [await AbusedServer.start(), await AbusedServer.start()];
  const { paths } = await server.must('GET', '/openapi.json');
  operations = Object.entries(paths as Record<string, Record<string, { security?: unknown[] }>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, { security }]) => ({
        method: method.toUpperCase(),
        path: path.replace(/\{[^}]*\}/g, 'x0123456789'),
        isPublic: security?.length === 0,
      })),
  );
}, 120_000);
afterAll(async () => {
  await server?.process.remove();
  await elsewhere?.process.remove();
});

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const code = ({ json }: Answer): unknown => json?.code ?? json?.error;

/** A device login from its first request to its tokens. */
async function deviceTokens(on: AbusedServer, person: Person) {
  const begun = await on.must('POST', '/auth/device', { body: 'client_id=hangar-cli', headers: FORM });
  await on.must('POST', `/device-requests/${begun.user_code}`, { cookie: person.cookie, json: { approve: true } });
  const body = `client_id=hangar-cli&grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=${begun.device_code}`;
  const tokens = await on.must('POST', '/auth/token', { body, headers: FORM });
  return { body, access: String(tokens.access_token), refresh: String(tokens.refresh_token) };
}

describe('a request that another site makes a browser send', () => {
  const FOREIGN: readonly Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:1' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example', 'content-type': 'text/plain' },
    { origin: 'https://evil.example', ...FORM },
    { origin: 'https://evil.example', 'content-type': 'multipart/form-data; boundary=x' },
    // A browser always says one of the two; without them nothing proves that it was this site.
    {},
    { referer: 'https://evil.example/' },
  ];

  it('is refused on every route that changes something', async () => {
    const { cookie } = server.people.ada;
    const changing = operations.filter(({ method, path }) => method !== 'GET' && !path.startsWith('/worker/'));
    expect(changing.length).toBeGreaterThan(25);
    for (const { method, path } of changing)
      for (const [at, headers] of FOREIGN.entries()) {
        // Not by `cookie`, which says the origin as a browser does.
        const answer = await server.ask(method, path, { body: '{}', headers: { ...headers, cookie } });
        const what = `${method} ${path} ${JSON.stringify(FOREIGN[at])}: ${answer.text}`;
        expect(answer.status, what).toBe(403);
        expect(['csrf_refused', 'invalid_request'], what).toContain(code(answer));
      }
    const mine = await server.ask('PATCH', '/users/me', { cookie, json: { name: 'Ada' } });
    expect(mine.status, mine.text).toBe(200);
  });

  it('cannot have a cookie count where only workers are asked', async () => {
    for (const { method, path } of operations.filter((operation) => operation.path.startsWith('/worker/'))) {
      const answer = await server.ask(method, path, {
        cookie: server.people.ada.cookie,
        ...(method === 'GET' ? {} : { json: {} }),
      });
      expect(answer.status, path).toBe(401);
    }
  });
});

describe('tokens', () => {
  it('of another server are worth nothing here', async () => {
    const theirs = await deviceTokens(elsewhere, elsewhere.people.ada);
    for (const token of [theirs.access, elsewhere.people.admin.apiKey, elsewhere.people.ada.apiKey]) {
      expect((await elsewhere.ask('GET', '/users/me', { token })).status).toBe(200);
      expect((await server.ask('GET', '/users/me', { token })).status).toBe(401);
    }
    const theirCookie = elsewhere.people.ada.cookie.replace(/^[^=]*/, server.people.ada.cookie.split('=')[0] ?? '');
    expect((await server.ask('GET', '/users/me', { cookie: theirCookie })).status).toBe(401);
    const refreshed = await server.ask('POST', '/auth/refresh', {
      body: `client_id=hangar-cli&refresh_token=${theirs.refresh}`,
      headers: FORM,
    });
    expect([refreshed.status, code(refreshed)]).toEqual([400, 'invalid_grant']);
    expect(
      (
        await elsewhere.ask('POST', '/auth/refresh', {
          body: `client_id=hangar-cli&refresh_token=${theirs.refresh}`,
          headers: FORM,
        })
      ).status,
    ).toBe(200);
  });

  it('are worth nothing changed, unsigned, or signed by something else', async () => {
    const { access } = await deviceTokens(server, server.people.ada);
    expect((await server.ask('GET', '/users/me', { token: access })).status).toBe(200);
    const [head = '', body = '', signature = ''] = access.split('.');
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
    const write = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { keys } = await server.must('GET', '/auth/jwks.json');
    const jwk = (keys as Record<string, string>[])[0] ?? {};
    const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const es256 = (header: unknown, claims: unknown) => {
      const text = `${write(header)}.${write(claims)}`;
      const key = createPrivateKey(ours.privateKey.export({ type: 'pkcs8', format: 'pem' }));
      return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    };
    const hs256 = (secret: string | Buffer) => {
      const text = `${write({ ...read(head), alg: 'HS256' })}.${body}`;
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    const mine = ours.publicKey.export({ format: 'jwk' });
    const forged = [
      `${write({ ...read(head), alg: 'none' })}.${body}.`,
      `${write({ ...read(head), alg: 'none' })}.${body}.${signature}`,
      `${head}.${write({ ...read(body), sub: server.people.admin.id })}.${signature}`,
      `${head}.${write({ ...read(body), exp: 4_000_000_000 })}.${signature}`,
      hs256(pem),
      hs256(Buffer.from(jwk.x ?? '', 'base64url')),
      es256(read(head), read(body)),
      es256({ ...read(head), jwk: mine }, read(body)),
      es256({ ...read(head), jku: `${elsewhere.url}/api/auth/jwks.json` }, read(body)),
      es256({ ...read(head), kid: '../../../../dev/null' }, read(body)),
      `${head}.${body}.`,
      `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
      'a.b.c',
    ];
    for (const token of forged) {
      const answer = await server.ask('GET', '/users/me', { token });
      expect(answer.status, `${token}: ${answer.text}`).toBe(401);
    }
  });

  it('are good once where once is meant', async () => {
    const { ada, admin } = server.people;
    const { url } = await server.must('POST', `/users/${ada.id}/sign-in-link`, { as: admin });
    const token = String(url).split('#')[1];
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => server.ask('POST', '/auth/sign-in/link', { json: { token } })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
    const { body, refresh } = await deviceTokens(server, ada);
    const again = await server.ask('POST', '/auth/token', { body, headers: FORM });
    expect([again.status, code(again)]).toEqual([400, 'invalid_grant']);
    // A refresh token is no access token, nor the other way round.
    expect((await server.ask('GET', '/users/me', { token: refresh })).status).toBe(401);
  });
});

describe('the token of a worker', () => {
  let running: string;
  let ended: string;
  let issue: (jobId: string, attempt: number) => string;

  beforeAll(async () => {
    const { ada } = server.people;
    const repo = makeRepo(join(server.process.dir, 'repo'), { 'a.txt': 'a\n' });
    const bundle = await server.upload(ada, bundleOf(repo.dir, join(server.process.dir, 'bundle')));
    const send = async (script: string) => {
      const spec = `# Try\n\n\`\`\`sh\n${script}\n\`\`\`\n`;
      return String(
        (await server.must('POST', '/jobs', { as: ada, json: { spec, repo: { bundle, commit: repo.commit } } })).id,
      );
    };
    [running, ended] = [await send('echo here; exec sleep 300'), await send('echo gone')];
    expect((await server.ended(ada, ended)).state).toBe('succeeded');
    await server.until(ada, running, (job) => job.state === 'running', 'the job did not begin');
    issue = await tokensOf(server.process);
  }, 90_000);
  afterAll(async () => {
    await server.ask('POST', `/jobs/${running}/cancel`, { as: server.people.ada });
    await server.ended(server.people.ada, running);
  });

  const at = new Date().toISOString();
  const line = { at, stream: 'stdout', text: 'planted by somebody else' };
  const finish = {
    ...{
      outcome: 'succeeded',
      exitCode: 0,
      signal: null,
      failure: null,
      reason: 'planted',
      diff: null,
      at,
      lastLogSeq: 0,
    },
  };
  const calls: readonly [string, string, object | null][] = [
    ['POST', '/worker/claim', { workerId: 'somebody-else', version: '0', host: 'h', pid: 1 }],
    ['GET', '/worker/uploads/bundle', null],
    ['POST', '/worker/logs', { seq: 999, lines: [line] }],
    ['POST', '/worker/report', { phase: 'collecting', at, reason: 'planted' }],
    ['POST', '/worker/heartbeat', { workerId: 'somebody-else', waitSeconds: 0 }],
    ['PUT', '/worker/artifacts/planted?kind=file', null],
    ['POST', '/worker/finish', finish],
  ];
  const callAll = async (token: string) => {
    const statuses: number[] = [];
    for (const [method, path, json] of calls) {
      const bytes =
        method === 'PUT' ? { body: 'planted', headers: { 'content-type': 'application/octet-stream' } } : {};
      statuses.push((await server.ask(method, path, { token, ...(json === null ? bytes : { json }) })).status);
    }
    return statuses;
  };
  const log = async (id: string) =>
    (await server.ask('GET', `/jobs/${id}/logs?format=text`, { as: server.people.ada })).text;

  it('is bound to its job and attempt', async () => {
    const token = issue(running, 1);
    expect((await server.ask('POST', '/worker/heartbeat', { token, json: { workerId: 'x'.repeat(8) } })).status).toBe(
      200,
    );
    const signature = token.split('.')[2] ?? '';
    const bad = [
      token.replace(running, ended),
      issue(ended, 1).replace(ended, running),
      token.replace('.1.', '.2.'),
      issue(running, 2),
      issue('j_0000000000000000', 1),
      token.replace(
        signature,
        signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')),
      ),
      token.slice(0, -1),
      (await tokensOf(elsewhere.process))(running, 1),
      'hgw_',
    ];
    for (const one of bad) expect(await callAll(one), one).toEqual(calls.map(() => 401));
    expect(await log(running)).not.toContain('planted');
  });

  it('is given to one worker: another that has it gets no order', async () => {
    const [claim] = calls;
    const answer = await server.ask('POST', '/worker/claim', { token: issue(running, 1), json: claim?.[2] });
    expect([answer.status, code(answer)]).toEqual([409, 'worker_fenced']);
    expect(answer.text).not.toContain('bundle');
  });

  it('is worth nothing once the job has ended', async () => {
    const before = await server.must('GET', `/jobs/${ended}`, { as: server.people.ada });
    const token = issue(ended, 1);
    for (let seq = 1; seq < 10; seq++)
      await server.ask('POST', '/worker/logs', { token, json: { seq, lines: [line] } });
    const statuses = (await callAll(token)).filter((_, n) => calls[n]?.[1] !== '/worker/logs');
    // A last word that is said again changes nothing, so that a worker whose answer was lost can go.
    expect(
      statuses.slice(0, -1).every((status) => status === 401 || status === 409),
      String(statuses),
    ).toBe(true);
    const after = await server.must('GET', `/jobs/${ended}`, { as: server.people.ada });
    for (const name of ['state', 'reason', 'finishedAt', 'logLines', 'failure'])
      expect(after[name]).toEqual(before[name]);
    expect(await log(ended)).not.toContain('planted');
    const { items } = await server.must('GET', `/jobs/${ended}/artifacts`, { as: server.people.ada });
    expect(JSON.stringify(items)).not.toContain('planted');
  });

  it('is no person, and a person is no worker', async () => {
    const token = issue(running, 1);
    let asked = 0;
    for (const { method, path, isPublic } of operations) {
      if (path.startsWith('/worker/') || isPublic) continue;
      const answer = await server.ask(method, path, { token, ...(method === 'GET' ? {} : { json: {} }) });
      expect(answer.status, `${method} ${path}`).toBe(401);
      asked++;
    }
    expect(asked).toBeGreaterThan(35);
    const { access } = await deviceTokens(server, server.people.bob);
    for (const person of [server.people.ada.apiKey, server.people.admin.apiKey, access])
      expect(await callAll(person)).toEqual(calls.map(() => 401));
  });
});

// Last: nobody signs in from this place for the rest of the minute.
it('no token, code or password can be guessed for long', async () => {
  const { ada } = server.people;
  const waits = async (ask: () => Promise<Answer>) => {
    for (let n = 0; n < 80; n++) {
      const answer = await ask();
      if (answer.status === 429) return { wait: Number(answer.headers.get('retry-after')), tries: n };
      expect(answer.status, answer.text).toBeLessThan(500);
      expect(answer.status, answer.text).toBeGreaterThanOrEqual(400);
    }
    return { wait: 0, tries: 80 };
  };
  const guesses = [
    () => server.ask('POST', '/auth/sign-in', { json: { email: 'ada@example.org', password: 'guessed-it' } }),
    () => server.ask('POST', '/device-requests/BCDF-GHJK', { cookie: ada.cookie, json: { approve: true } }),
    () => server.ask('GET', '/device-requests/BCDF-GHJL', { cookie: server.people.bob.cookie }),
    () =>
      server.ask('POST', '/users/me/password', {
        cookie: ada.cookie,
        json: { current: 'x', password: 'another-password' },
      }),
    () => server.ask('POST', '/auth/sign-in/link', { json: { token: 'hgl_0000000000000000000000' } }),
    () => server.ask('POST', '/invites/look', { json: { token: 'hgi_0000000000000000000000' } }),
  ];
  for (const guess of guesses) {
    const { wait, tries } = await waits(guess);
    expect(wait, `after ${tries}`).toBeGreaterThan(0);
    expect(tries).toBeLessThanOrEqual(60);
  }
}, 120_000);

/** Makes worker tokens as the server does: from its database and its key file. */
async function tokensOf(process: ServerProcess): Promise<(jobId: string, attempt: number) => string> {
  const client = new pg.Client({ host: join(process.dir, 'data/postgres'), user: 'hangar', database: 'postgres' });
  await client.connect();
  const value = async (key: string) =>
    (await client.query<{ value: unknown }>('select value from setting where key = $1', [key])).rows[0]?.value ?? null;
  try {
    const secrets = await openSecrets({
      keyFile: process.env.HANGAR_MASTER_KEY_FILE ?? '',
      generate: false,
      settings: { get: value, getOrSet: value, set: async () => undefined },
    });
    const binding = { table: 'setting', owner: 'server', row: 'worker.token.key', field: 'value' };
    const key = secrets.open(String(await value('worker.token.key')), binding).reveal();
    return workerTokens(Buffer.from(key, 'base64')).issue;
  } finally {
    await client.end();
  }
}
