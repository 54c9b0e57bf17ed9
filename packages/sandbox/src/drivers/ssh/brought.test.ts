import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UnitKey, UnitState } from '../../port/unit.ts';
import { profileWith } from '../../testing/profile.ts';
import { openWorkerDesk, type WorkerDesk } from '../../testing/worker-desk.ts';
import { createSshDriver } from './index.ts';
import { soon, startSshd, type TestSshd, whyNoSshd } from './testing/sshd.ts';

const DAY_S = 86_400;

describe.skipIf(whyNoSshd !== null)(
  `ssh: what is brought${whyNoSshd === null ? '' : `, skipped: ${whyNoSshd}`}`,
  () => {
    let sshd: TestSshd;
    let desk: WorkerDesk;
    let runtimeDir: string;
    beforeAll(async () => {
      sshd = await startSshd();
      desk = await openWorkerDesk(process.execPath);
      runtimeDir = await mkdtemp('/tmp/hgr-');
    });
    afterAll(async () => {
      await desk?.[Symbol.asyncDispose]();
      await sshd?.[Symbol.asyncDispose]();
      if (runtimeDir) await rm(runtimeDir, { recursive: true, force: true });
    });

    const unitsOf = (settings = {}) =>
      createSshDriver({ brought: desk.brought, env: { PATH: process.env.PATH }, runtimeDir }).forProfile(
        profileWith(
          { host: '127.0.0.1', port: sshd.port, user: userInfo().username, ...settings },
          {},
          { key: sshd.key },
        ),
      ).units;
    async function begun(run: string, units = unitsOf()): Promise<UnitKey> {
      const key = { id: `j_${run}`, attempt: 1 };
      const program = { kind: 'brought', name: 'worker', input: JSON.stringify({ run, do: 'wait' }) } as const;
      const spec = { key, program, image: null, resources: {}, deadlineSeconds: 600 };
      await units.ensure(spec, { ...soon(), say: () => undefined });
      await desk.heard(run, 'up');
      return key;
    }
    const programs = () => path.join(sshd.home, 'a folder/programs');
    const folder = () => ({ folder: path.join(sshd.home, 'a folder') });
    const ended = async (key: UnitKey, units = unitsOf(folder())): Promise<UnitState> => {
      for (;;) {
        const state = await units.inspect(key, soon());
        if (state.kind !== 'running') return state;
      }
    };

    it('is there once for all servers, whole, and goes when nothing uses it any more', async () => {
      const keys = await Promise.all([begun('a', unitsOf(folder())), begun('b', unitsOf(folder()))]);
      const [digest = ''] = await readdir(programs());
      expect(await readdir(programs())).toEqual([digest]);
      const { ino } = await stat(path.join(programs(), digest));
      const longAgo = Date.now() / 1000 - 3 * DAY_S;
      for (const name of ['0123456789abcdef', '.0123456789abcdef-cut', digest]) {
        await mkdir(path.join(programs(), name), { recursive: true });
        await utimes(path.join(programs(), name), longAgo, longAgo);
      }
      const fresh = path.join(programs(), 'fedcba9876543210');
      await mkdir(fresh);
      // By a server that has not begun anything yet: what the two run is in use, what is fresh may be another's.
      await unitsOf(folder()).sweep(async () => true, soon());
      expect((await readdir(programs())).sort()).toEqual([digest, 'fedcba9876543210'].sort());
      await begun('c', unitsOf(folder())).then((key) => keys.push(key));
      expect((await stat(path.join(programs(), digest))).ino).toBe(ino);
      for (const key of keys) await unitsOf(folder()).remove(key, soon());
      await utimes(path.join(programs(), digest), longAgo, longAgo);
      await unitsOf(folder()).sweep(async () => true, soon());
      expect(await readdir(programs())).toEqual(['fedcba9876543210']);
    });

    it('is ended by the machine at its deadline, and told apart from a restart', async () => {
      const units = unitsOf(folder());
      const ofUnit = (name: string) => path.join(sshd.home, 'a folder', desk.brought.instanceId, name);
      const late = await begun('late', units);
      const [boot] = (await readFile(ofUnit('j_late-1/unit'), 'utf8')).split('\n');
      await writeFile(ofUnit('j_late-1/unit'), `${boot}\n${Math.floor(Date.now() / 1000) - 1}\nworker\n`);
      expect(await ended(late)).toMatchObject({ kind: 'exited', code: 'job_timeout' });

      const key = await begun('boot', units);
      const note = ofUnit('j_boot-1/program/pid');
      const [pid, began] = (await readFile(note, 'utf8')).split(' ');
      await writeFile(note, `${pid} ${began} 00000000-0000-0000-0000-000000000000\n`);
      expect(await ended(key)).toMatchObject({ kind: 'exited', exitCode: null, reason: 'The machine was restarted' });
      await units.remove(key, soon());
      await units.remove(late, soon());
    });

    it('does not begin where there is no way to this server', async () => {
      const units = unitsOf({ ...folder(), host: 'far.example' });
      await expect(begun('far', units)).rejects.toMatchObject({
        code: 'launch_failed',
        wayOut: expect.stringContaining('HANGAR_PUBLIC_URL'),
      });
    });
  },
);
