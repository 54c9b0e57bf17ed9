import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type SettingsStore, settingsStore } from '../database/index.ts';
import { createTestDatabase } from '../database/testing/index.ts';
import { hashToken, newId, newToken, openSecrets, Secret, sameToken } from './index.ts';

const binding = { table: 'credential', owner: 'u_1', row: 'c_1', field: 'value' };

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let settings: SettingsStore;
let folder: string;
let keyFile: string;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from setting');
  settings = settingsStore(database.db);
  folder = await mkdtemp(path.join(tmpdir(), 'hangar-secrets-'));
  keyFile = path.join(folder, 'keys', 'master');
  return () => rm(folder, { recursive: true });
});

const open = () => openSecrets({ keyFile, generate: true, settings });
const rejects = (work: Promise<unknown>, code: string) => expect(work).rejects.toMatchObject({ code });
const thrown = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
};

test('a secret never turns into text by itself', () => {
  const secret = new Secret('hunter2');
  const texts = [`${secret}`, String(secret), JSON.stringify({ secret }), inspect({ secret }), `${[secret]}`];
  for (const text of texts) expect(text).not.toContain('hunter2');
  expect(JSON.stringify(secret)).toBe('"***"');
  expect(inspect(secret, { showHidden: true, depth: 9 })).toBe('***');
  expect(JSON.stringify({ ...secret })).toBe('{}');
  expect(secret.reveal()).toBe('hunter2');
});

test('what was sealed opens again, only in its own row, and never unnoticed after a change', async () => {
  const secrets = await open();
  const sealed = secrets.seal('ghp_tökén', binding);
  expect(sealed).toMatch(/^v1\.k1\.[\w-]{16}\.[\w-]+$/);
  expect(secrets.seal('ghp_tökén', binding)).not.toBe(sealed);
  expect(secrets.open(sealed, binding).reveal()).toBe('ghp_tökén');
  expect(secrets.open(secrets.seal(Buffer.from('bytes'), binding), binding).reveal()).toBe('bytes');
  expect(secrets.open(secrets.seal('', binding), binding).reveal()).toBe('');

  for (const field of ['table', 'owner', 'row', 'field'] as const) {
    expect(thrown(() => secrets.open(sealed, { ...binding, [field]: 'other' }))).toMatchObject({ code: 'internal' });
  }
  const [version, kid, iv = '', body = ''] = sealed.split('.');
  const flip = (text: string, at: number) => {
    const bytes = Buffer.from(text, 'base64url');
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    return bytes.toString('base64url');
  };
  const changed = [
    [version, kid, flip(iv, 0), body],
    [version, kid, iv, flip(body, 0)],
    [version, kid, iv, flip(body, Buffer.from(body, 'base64url').length - 1)],
    [version, kid, iv, ''],
    ['v2', kid, iv, body],
    ['junk'],
  ];
  for (const parts of changed) {
    expect(thrown(() => secrets.open(parts.join('.'), binding))).toMatchObject({ code: 'internal' });
  }
  expect(thrown(() => secrets.open([version, 'k9', iv, body].join('.'), binding))).toMatchObject({
    code: 'master_key_wrong',
  });
});

test('the key file is made once, for its owner only, by whoever is first', async () => {
  const several = await Promise.all([open(), open(), open()]);
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(keyFile))).mode & 0o777).toBe(0o700);
  const sealed = several[0]?.seal('a', binding) ?? '';
  for (const secrets of several) expect(secrets.open(sealed, binding).reveal()).toBe('a');
  const again = await open();
  expect(again.open(sealed, binding).reveal()).toBe('a');
});

test('another key, or none, is refused by a database that has secrets', async () => {
  await open();
  const other = path.join(folder, 'other');
  await writeFile(other, `k1:${Buffer.alloc(32, 7).toString('base64')}\n`);
  await rejects(openSecrets({ keyFile: other, generate: true, settings }), 'master_key_wrong');
  const missing = path.join(folder, 'missing');
  await rejects(openSecrets({ keyFile: missing, generate: true, settings }), 'master_key_wrong');
  await rejects(stat(missing), 'ENOENT');
  await database.pool.query('delete from setting');
  await rejects(openSecrets({ keyFile: missing, generate: false, settings }), 'master_key_wrong');
});

test('a key is rotated: new first, everything sealed anew, old dropped', async () => {
  const before = await open();
  const sealed = before.seal('value', binding);
  const old = await readFile(keyFile, 'utf8');
  const fresh = `k2:${Buffer.alloc(32, 9).toString('base64')}`;
  await writeFile(keyFile, `${fresh}\n${old}`);

  const both = await open();
  const resealed = both.reseal(sealed, binding) ?? '';
  expect(resealed).toMatch(/^v1\.k2\./);
  expect(both.reseal(resealed, binding)).toBeNull();

  await writeFile(keyFile, `${fresh}\n`);
  const after = await open();
  expect(after.open(resealed, binding).reveal()).toBe('value');
  expect(thrown(() => after.open(sealed, binding))).toMatchObject({ code: 'master_key_wrong' });
});

test.each([
  ['', 'no key'],
  ['k1:short', 'line 1'],
  [`K!:${Buffer.alloc(32).toString('base64')}`, 'line 1'],
  [`k1:${Buffer.alloc(32).toString('base64')}\nk1:${Buffer.alloc(32, 1).toString('base64')}`, 'same id'],
])('a broken key file is said to be broken: %j', async (text, reason) => {
  keyFile = path.join(folder, 'broken');
  await writeFile(keyFile, text);
  await chmod(keyFile, 0o600);
  const error = await open().catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'config_invalid', message: expect.stringContaining(reason) });
});

test('ids and tokens', () => {
  expect(newId('j')).toMatch(/^j_[0-9a-hjkmnp-tv-z]{16}$/);
  expect(newToken('hgr', 32)).toMatch(/^hgr_[\w-]{43}$/);
  expect(new Set(Array.from({ length: 1000 }, () => newId('j'))).size).toBe(1000);
  expect(hashToken('a')).toBe('ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb');
  expect(sameToken('abc', 'abc')).toBe(true);
  expect(sameToken('abc', 'abd')).toBe(false);
  expect(sameToken('abc', 'abcd')).toBe(false);
});
