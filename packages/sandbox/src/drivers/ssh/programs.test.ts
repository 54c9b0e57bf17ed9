import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, describe, test } from 'vitest';
import { unitName } from '../../brought/remote/unit-folder.ts';
import { unitSuite } from '../../testing/unit-suite.ts';
import { createSshDriver } from './index.ts';
import { startSshd, type TestSshd, whyNoSshd } from './testing/sshd.ts';

if (whyNoSshd !== null) describe.skip('ssh', () => test(`skipped: ${whyNoSshd}`, () => {}));
else {
  let sshd: TestSshd;
  let runtimeDir: string;
  afterAll(async () => {
    await sshd?.[Symbol.asyncDispose]();
    if (runtimeDir) await rm(runtimeDir, { recursive: true, force: true });
  });

  unitSuite('ssh', process.execPath, async (desk) => {
    sshd = await startSshd({ options: ['MaxSessions 20', 'MaxStartups 100'] });
    runtimeDir = await mkdtemp(path.join('/tmp', 'hgr-'));
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    const options = { brought: desk.brought, env, runtimeDir };
    const folder = path.join(sshd.home, '.hangar', desk.brought.instanceId);
    return {
      ...{ module: new URL('./index.ts', import.meta.url).href, factory: 'createSshDriver', options },
      create: () => createSshDriver(options),
      settings: { host: '127.0.0.1', port: sshd.port, user: userInfo().username },
      ...{ secrets: { key: sshd.key }, image: null, limitsMemory: false, endsAnything: true, outlivesProgram: true },
      leftovers: async (key) => (await readdir(folder)).filter((name) => name.startsWith(unitName(key))),
      shown: async (key) => {
        const files = await readdir(path.join(folder, unitName(key)), { recursive: true, withFileTypes: true });
        const kept = files.filter((file) => file.isFile()).map((file) => path.join(file.parentPath, file.name));
        return (await Promise.all(kept.map((file) => readFile(file, 'latin1')))).join('\n');
      },
    };
  });
}
