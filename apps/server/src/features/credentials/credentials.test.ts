import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect, promisify } from 'node:util';
import type { HangarError, NewCredential } from '@hangar/contract';
import { createRouterClient } from '@orpc/server';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { settingsStore } from '../../platform/database/index.ts';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import type { PersonIdentity } from '../../platform/http/identity.ts';
import { openSecrets, type Secrets } from '../../platform/secrets/index.ts';
import { type Credentials, createCredentials } from './credentials.ts';
import { credentialsRoutes } from './feature.ts';

const TOKEN = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a';
const run = promisify(execFile);

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let dir: string;
let secrets: Secrets;
let credentials: Credentials;

beforeAll(async () => {
  database = await createTestDatabase();
  dir = await mkdtemp(path.join(tmpdir(), 'hangar-credentials-'));
});
afterAll(async () => {
  await database.drop();
  await rm(dir, { recursive: true });
});
const keyFile = () => path.join(dir, 'key');
const openAll = () => openSecrets({ keyFile: keyFile(), generate: true, settings: settingsStore(database.db) });
beforeEach(async () => {
  await database.pool.query('delete from credential');
  secrets = await openAll();
  credentials = createCredentials({ database, secrets });
});

const token = (name: string, value = TOKEN): NewCredential => ({ name, kind: 'https-token', value });
const key = (value: string): NewCredential => ({ name: 'key', kind: 'ssh-key', value });
const failure = (work: Promise<unknown>): Promise<HangarError> =>
  work.then(
    () => expect.fail('was accepted'),
    (error: HangarError) => error,
  );

async function sshKey(name: string, ...options: string[]): Promise<string> {
  const file = path.join(dir, name);
  await run('ssh-keygen', ['-q', '-f', file, ...options]);
  return readFile(file, 'utf8');
}

test('a credential is kept, shown without its value, opened for a job and removed', async () => {
  const made = await credentials.create('u_ada', { ...token('github'), host: 'GitHub.com', username: 'ada' });
  expect(made).toMatchObject({
    name: 'github',
    kind: 'https-token',
    host: 'github.com',
    username: 'ada',
    lastUsedAt: null,
  });
  await credentials.create('u_ada', token('another'));
  const { items } = await credentials.list('u_ada');
  expect(items.map(({ name }) => name)).toEqual(['another', 'github']);
  expect(JSON.stringify(items)).not.toContain(TOKEN);

  const opened = await credentials.open('u_ada', 'github');
  expect(opened).toMatchObject({ kind: 'https-token', host: 'github.com', username: 'ada', knownHosts: null });
  expect(opened.value.reveal()).toBe(TOKEN);
  expect(inspect(opened, { depth: 9, showHidden: true }) + JSON.stringify(opened)).not.toContain(TOKEN);
  const used = (await credentials.list('u_ada')).items.find(({ name }) => name === 'github')?.lastUsedAt;
  expect(used).not.toBeNull();
  await credentials.open('u_ada', 'github');
  expect((await credentials.list('u_ada')).items.find(({ name }) => name === 'github')?.lastUsedAt).toBe(used);
  await database.pool.query(`update credential set last_used_at = now() - interval '2 minutes' where name = 'github'`);
  await credentials.open('u_ada', 'github');
  const later = (await credentials.list('u_ada')).items.find(({ name }) => name === 'github')?.lastUsedAt;
  expect(Date.parse(later ?? '')).toBeGreaterThanOrEqual(Date.parse(used ?? ''));

  await credentials.remove('u_ada', 'github');
  expect(await credentials.has('u_ada', 'github')).toBe(false);
  expect((await failure(credentials.open('u_ada', 'github'))).code).toBe('credential_not_found');
  expect((await failure(credentials.remove('u_ada', 'github'))).code).toBe('credential_not_found');
});

test('nobody sees, opens or removes what is not theirs; names are taken per person', async () => {
  await credentials.create('u_ada', token('github'));
  await credentials.create('u_bob', token('github', 'glpat-of-bob'));
  expect((await failure(credentials.create('u_ada', token('github')))).code).toBe('credential_exists');
  await credentials.create('u_ada', token('only-ada'));
  expect(await credentials.has('u_bob', 'only-ada')).toBe(false);
  expect((await failure(credentials.open('u_bob', 'only-ada'))).code).toBe('credential_not_found');
  expect((await failure(credentials.remove('u_bob', 'only-ada'))).code).toBe('credential_not_found');
  expect((await credentials.open('u_bob', 'github')).value.reveal()).toBe('glpat-of-bob');
  expect((await credentials.open('u_ada', 'github')).value.reveal()).toBe(TOKEN);
});

test('of many who take a name at once, one gets it', async () => {
  const tries = await Promise.allSettled([1, 2, 3, 4].map((n) => credentials.create('u_ada', token('x', `t${n}`))));
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const tried of tries) if (tried.status === 'rejected') expect(tried.reason.code).toBe('credential_exists');
});

test('nothing of a value is in the clear in any column of any table, and a copied row does not open', async () => {
  const secretKey = await sshKey('plain', '-t', 'ed25519', '-N', '');
  await credentials.create('u_ada', token('github'));
  await credentials.create('u_ada', { ...key(secretKey), knownHosts: 'git.example ssh-ed25519 AAAAC3Nza' });
  const tables = await database.pool.query(
    `select table_schema || '.' || table_name as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  let dump = '';
  for (const { name } of tables.rows) {
    const { rows } = await database.pool.query(`select t::text as row from ${name} t`);
    dump += rows.map(({ row }) => row).join('\n');
  }
  expect(dump).toContain('github');
  for (const clear of [TOKEN, ...secretKey.split('\n').filter((line) => line.length > 20)]) {
    expect(dump).not.toContain(clear);
    expect(dump).not.toContain(Buffer.from(clear).toString('base64').slice(0, 24));
    expect(dump).not.toContain(Buffer.from(clear).toString('hex').slice(0, 24));
  }
  await database.pool.query(
    `insert into credential (id, user_id, name, kind, value)
     select 'cr_stolen', 'u_eve', name, kind, value from credential where name = 'github'`,
  );
  expect((await failure(credentials.open('u_eve', 'github'))).code).toBe('internal');
});

test('values are trimmed as pasting needs it', async () => {
  await credentials.create('u_ada', token('t', `  ${TOKEN}\r\n`));
  expect((await credentials.open('u_ada', 't')).value.reveal()).toBe(TOKEN);
  const made = await sshKey('crlf', '-t', 'ed25519', '-N', '');
  await credentials.create('u_ada', key(`\n\n${made.trim().replaceAll('\n', '\r\n')}`));
  expect((await credentials.open('u_ada', 'key')).value.reveal()).toBe(made);
});

test('every common kind of private key is taken, and ssh reads what is kept', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = [
    await sshKey('ed', '-t', 'ed25519', '-N', ''),
    await sshKey('rsa', '-t', 'rsa', '-b', '2048', '-N', ''),
    await sshKey('pem', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', ''),
    await sshKey('ec', '-t', 'ecdsa', '-m', 'PEM', '-N', ''),
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  ];
  for (const [index, value] of keys.entries()) {
    await credentials.create('u_ada', { ...key(value), name: `key${index}` });
    const file = path.join(dir, `kept${index}`);
    await writeFile(file, (await credentials.open('u_ada', `key${index}`)).value.reveal(), { mode: 0o600 });
    expect((await run('ssh-keygen', ['-y', '-P', '', '-f', file])).stdout).toMatch(/^(ssh-|ecdsa-)/);
  }
});

test('a value that git could not use is refused with the reason, and is not in the message', async () => {
  const plain = await sshKey('good', '-t', 'ed25519', '-N', '');
  const cases: [NewCredential, RegExp][] = [
    [token('t', '   '), /empty/],
    [token('t', 'two words'), /blanks/],
    [token('t', 'a\nb'), /blanks/],
    [token('t', 'a\0b'), /blanks/],
    [token('t', plain), /kind ssh-key/],
    [key(await sshKey('locked', '-t', 'ed25519', '-N', 'secret phrase')), /passphrase/],
    [key(await sshKey('locked-pem', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', 'secret phrase')), /passphrase/],
    [key(await sshKey('locked-p8', '-t', 'rsa', '-b', '2048', '-m', 'PKCS8', '-N', 'secret phrase')), /passphrase/],
    [key(await readFile(path.join(dir, 'good.pub'), 'utf8')), /public key/],
    [key('PuTTY-User-Key-File-2: ssh-rsa'), /PuTTY/],
    [key(TOKEN), /not a private key/],
    [key(plain.slice(0, 200)), /not a private key/],
    [key(plain.replace(/\n(.{20}).{40}/, '\n$1')), /damaged/],
    [key('-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----'), /damaged/],
    [key('-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----'), /damaged/],
  ];
  for (const [input, reason] of cases) {
    const error = await failure(credentials.create('u_ada', input));
    expect(error).toMatchObject({ code: 'validation_failed', message: expect.stringMatching(reason) });
    expect(error.details).toMatchObject({ issues: [{ field: 'value' }] });
    if (input.value.trim().length > 8)
      expect(JSON.stringify(error.details) + error.message).not.toContain(input.value.trim());
  }
  expect((await credentials.list('u_ada')).items).toEqual([]);
});

test('known hosts are lines of a known_hosts file', async () => {
  const value = await sshKey('known', '-t', 'ed25519', '-N', '');
  const good =
    '# comment\n\ngit.example,10.0.0.1 ssh-ed25519 AAAAC3NzaC1 note\r\n|1|a=|b= ssh-rsa AAAA==\n[h]:22 ssh-rsa AAAA';
  await credentials.create('u_ada', { ...key(value), knownHosts: good });
  expect((await credentials.open('u_ada', 'key')).knownHosts?.split('\n')).toHaveLength(4);
  await credentials.create('u_ada', { ...key(value), name: 'none', knownHosts: ' \n# nothing\n' });
  expect((await credentials.open('u_ada', 'none')).knownHosts).toBeNull();
  for (const bad of ['git.example', 'ProxyCommand=rm -rf /', 'a\0b ssh-rsa AAAA', 'x ssh-rsa !!!']) {
    const error = await failure(credentials.create('u_ada', { ...key(value), name: 'bad', knownHosts: bad }));
    expect(error).toMatchObject({ code: 'validation_failed', details: { issues: [{ field: 'knownHosts' }] } });
  }
});

test('routes speak for whoever is signed in, and check what they are given', async () => {
  const identity: PersonIdentity = {
    kind: 'token',
    userId: 'u_ada',
    userName: 'Ada',
    actor: { userId: 'u_ada', userName: 'Ada', role: 'member' },
    label: 'laptop',
    expiresAt: null,
  };
  const context = {
    identity,
    everybody: false,
    place: '127.0.0.1',
    userAgent: 'test',
    cookie: undefined,
    idempotencyKey: undefined,
    requestId: 'r',
    signal: new AbortController().signal,
    setCookie: () => undefined,
  };
  const client = createRouterClient(credentialsRoutes(credentials), { context });
  const made = await client.create(token('github'));
  expect(Object.keys(made).sort()).toEqual(['createdAt', 'host', 'kind', 'lastUsedAt', 'name', 'username']);
  expect((await client.list({})).items).toEqual([made]);
  expect((await credentials.list('u_ada')).items).toEqual([made]);
  await expect(client.create(token('Not A Name'))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  expect(await client.remove({ name: 'github' })).toEqual({ done: true });
  const nobody = createRouterClient(credentialsRoutes(credentials), { context: { ...context, identity: null } });
  await expect(nobody.list({})).rejects.toMatchObject({ code: 'not_signed_in' });
});
