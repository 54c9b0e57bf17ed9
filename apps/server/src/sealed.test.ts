import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { startServer } from './compose.ts';
import { readConfig } from './config.ts';
import { rotateKey, withAccess } from './on-this-machine.ts';
import { createTestDatabase } from './platform/database/testing/index.ts';

const log = pino({ level: 'silent' });
const TEMPLATE = join(import.meta.dirname, '../../../deploy/k8s/job-template.yaml');

test('a change of the master key beside a running server reaches all that is sealed, in whatever table', async () => {
  const database = await createTestDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'hangar-sealed-'));
  const config = readConfig({
    HANGAR_DATA_DIR: folder,
    HANGAR_PORT: '0',
    HANGAR_DATABASE_URL: database.url,
    HANGAR_MASTER_KEY_FILE: join(folder, 'key'),
    HANGAR_DRIVERS: 'local',
  });
  const files = { workerFile: '/nowhere', nodeFile: process.execPath, webDir: null, jobTemplateFile: TEMPLATE };
  const server = await startServer({ config, files, log });
  try {
    const { key } = await server.adminKey();
    const ask = async (method: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const json = body ? { body: JSON.stringify(body) } : {};
      const answer = await fetch(`${server.url}/api${path}`, { method, headers, ...json });
      expect(answer.ok, `${path} ${answer.status}`).toBe(true);
      return answer.json() as Promise<{ id: string; title: string }>;
    };
    await ask('POST', '/credentials', { name: 'git', kind: 'https-token', value: 'ghp_secret' });
    await ask('POST', '/jobs', {
      ...{ spec: '# Try\n\n```sh\ntrue\n```\n', repo: { url: 'https://git.example.org/a/b' }, agent: 'shell' },
      env: { TOKEN: 'secret of a job' },
    });
    const sandbox = await ask('POST', '/drivers/connect', { env: { TOKEN: 'secret of a sandbox' } });
    const run = await ask('POST', '/drivers/execute', {
      ...{ sandbox: sandbox.id, command: ['curl', '-H', 'Token: secret of a command'] },
    });
    await ask('GET', '/auth/jwks.json');

    const rotate = (forget = false) =>
      rotateKey(config, { forget, say: () => undefined, signal: AbortSignal.timeout(30_000), log });
    expect(await rotate()).toMatchObject({ prepared: true });
    expect(await rotate()).toMatchObject({ prepared: false, keyId: 'k2', unreadable: [] });
    expect(await rotate(true)).toMatchObject({ forgotten: ['k1'] });

    const tables = await database.pool.query(
      `select table_name as name from information_schema.tables where table_schema = 'public'`,
    );
    const found: string[] = [];
    for (const { name } of tables.rows) {
      const { rows } = await database.pool.query(`select row_to_json(t)::text as row from "${name}" t`);
      for (const { row } of rows) expect(row).not.toMatch(/ghp_|secret of/);
      for (const { row } of rows)
        for (const [, id] of row.matchAll(/v1\.(\w+)\.[\w-]{16}\./g)) found.push(`${name} ${id}`);
    }
    expect(found.filter((each) => !each.endsWith(' k2'))).toEqual([]);
    // Credential, environments, order and title, signing key, worker tokens, and what proves the key.
    expect(found.length).toBeGreaterThanOrEqual(8);
    expect((await ask('GET', `/drivers/executions/${run.id}`)).title).toBe('curl -H Token: secret of a command');
    await ask('POST', '/credentials', { name: 'other', kind: 'https-token', value: 'ghp_other' });
  } finally {
    await server.close(AbortSignal.timeout(5_000));
  }
  // Without a server: people and keys are there, and nothing of a server is begun.
  const link = await withAccess(config, log, async (access) => (await access.firstAdminLink()).url);
  expect(link).toContain('/sign-in/link#hgl_');
  await database.drop();
  await rm(folder, { recursive: true });
});
