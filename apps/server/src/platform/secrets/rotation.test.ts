import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connectBeside, settingsStore } from '../database/index.ts';
import { createTestDatabase } from '../database/testing/index.ts';
import { openSecrets, rotateMasterKey, type SealedColumn, type Secrets } from './index.ts';

const VALUES = 450;
const COLUMN: SealedColumn = {
  ...{ table: 'thing', id: 'id', column: 'value' },
  bindingOf: ({ id }) => binding(id),
};
const binding = (row: string) => ({ table: 'thing', owner: 'server', row, field: 'value' });

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let folder: string;
let keyFile: string;
/** A server that runs all the time. */
let running: Secrets;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.pool.query('create table thing (id text primary key, value text)');
});
afterAll(() => database.drop());
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hangar-rotation-'));
  keyFile = path.join(folder, 'master.key');
  await database.pool.query('delete from setting');
  await database.pool.query('delete from thing');
  running = await open();
  for (let n = 0; n < VALUES; n += 1) await put(`t_${String(n).padStart(4, '0')}`, running);
  await database.pool.query(`insert into thing values ('t_none', null)`);
  return () => rm(folder, { recursive: true });
});

const open = () => openSecrets({ keyFile, generate: true, settings: settingsStore(database.db) });
const put = (id: string, secrets: Secrets) =>
  database.pool.query('insert into thing values ($1, $2)', [id, secrets.seal(`value of ${id}`, binding(id))]);
async function rotate(o: { several?: boolean; forget?: boolean; say?: (words: string) => void } = {}) {
  const { db, query, close } = await connectBeside({ connectionString: database.url });
  return rotateMasterKey({
    ...{ keyFile, query, settings: settingsStore(db), columns: [COLUMN], several: false, forget: false },
    ...{ say: () => undefined, signal: AbortSignal.timeout(30_000), ...o },
  }).finally(close);
}
const rows = async (): Promise<{ id: string; value: string }[]> =>
  (await database.pool.query('select id, value from thing where value is not null order by id')).rows;
async function readable(secrets: Secrets): Promise<number> {
  const all = await rows();
  for (const { id, value } of all) expect(secrets.open(value, binding(id)).reveal()).toBe(`value of ${id}`);
  return all.length;
}
const keys = async () => [...(await readFile(keyFile, 'utf8')).matchAll(/^(\w+):/gm)].map(([, id]) => id);
const sealedWith = async () => [...new Set((await rows()).map(({ value }) => value.split('.')[1]))];

test('everything is sealed with the new key, beside a server that reads and writes all the time', async () => {
  const written = setInterval(() => void put(`w_${performance.now()}`, running), 5);
  const done = await rotate();
  clearInterval(written);
  expect(done).toMatchObject({ keyId: 'k2', prepared: false, unreadable: [] });
  expect(done.resealed).toBeGreaterThan(VALUES);
  expect(await sealedWith()).toEqual(['k2']);
  expect(await readable(running)).toBeGreaterThan(VALUES);
  expect(await readable(await open())).toBeGreaterThan(VALUES);
  expect(await keys()).toEqual(['k2', 'k1']);
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  // The server seals with the new key from now on.
  await put('t_later', running);
  expect(await sealedWith()).toEqual(['k2']);

  expect(await rotate({ forget: true })).toMatchObject({ keyId: 'k2', forgotten: ['k1'] });
  expect(await keys()).toEqual(['k2']);
  expect(await readable(await open())).toBeGreaterThan(VALUES);
  expect(await rotate()).toMatchObject({ keyId: 'k3' });
});

test('killed in the middle it leaves nothing unreadable, and goes on with the same key', async () => {
  const script = path.join(import.meta.dirname, 'testing/rotate-until-killed.ts');
  const child = spawn(process.execPath, [script, database.url, keyFile, 'thing'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((done) => child.once('exit', done));
  await new Promise((done) => child.stdout.once('data', done));
  expect(await readable(running)).toBe(VALUES);
  child.kill('SIGKILL');
  await exited;
  expect((await sealedWith()).toSorted()).toEqual(['k1', 'k2']);
  expect(await readable(await open())).toBe(VALUES);
  await expect.poll(() => rotate(), { timeout: 10_000 }).toMatchObject({ keyId: 'k2' });
  expect(await sealedWith()).toEqual(['k2']);
  expect(await readable(running)).toBe(VALUES);
});

test('with several servers the key is in every file before anything is sealed with it', async () => {
  expect(await rotate({ several: true })).toMatchObject({ keyId: 'k2', prepared: true, resealed: 0 });
  expect(await keys()).toEqual(['k1', 'k2']);
  expect(await sealedWith()).toEqual(['k1']);
  expect(await rotate({ several: true })).toMatchObject({ keyId: 'k2', prepared: false });
  expect(await keys()).toEqual(['k2', 'k1']);
  expect(await sealedWith()).toEqual(['k2']);
});

test('a key that somebody put first into the file themselves is the one that is used', async () => {
  await writeFile(keyFile, `mine:${Buffer.alloc(32, 7).toString('base64')}\n${await readFile(keyFile, 'utf8')}`);
  expect(await rotate()).toMatchObject({ keyId: 'mine' });
  expect(await sealedWith()).toEqual(['mine']);
});

test('a value that no key opens is named and left as it is', async () => {
  await database.pool.query(`update thing set value = 'v1.k1.AAAAAAAAAAAAAAAA.AAAA' where id = 't_0001'`);
  expect(await rotate()).toMatchObject({ keyId: 'k2', resealed: VALUES - 1, unreadable: ['thing t_0001'] });
  expect(await rotate()).toMatchObject({ keyId: 'k3', unreadable: ['thing t_0001'] });
  expect(await rotate({ forget: true })).toMatchObject({ keyId: 'k3', forgotten: ['k2', 'k1'] });
});

test('one command at a time, and a file that cannot be written is said to be one', async () => {
  const first = await connectBeside({ connectionString: database.url });
  await expect(rotate()).rejects.toMatchObject({ code: 'data_dir_in_use' });
  await first.close();
  if (process.getuid?.() === 0) return;
  await chmod(folder, 0o500);
  await expect(rotate()).rejects.toMatchObject({ code: 'config_invalid' });
  await chmod(folder, 0o700);
});
