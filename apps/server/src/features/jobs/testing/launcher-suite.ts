import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobDriver, Launcher, LaunchRequest, UnitKey, UnitState } from '../launch/launcher.ts';
import { openWorkerDesk, processesWith, type WorkerDesk } from './worker-desk.ts';

/** What a driver tells of itself so that the suite can make it, here and in a process that will be killed. */
export interface DriverUnderTest {
  /** URL of the module, name of its factory, and its options without `log`. */
  readonly module: string;
  readonly factory: string;
  readonly options: Record<string, unknown>;
  readonly create: () => JobDriver;
  readonly settings: Record<string, unknown>;
  readonly image: string | null;
  /** Kills a unit that takes more memory than it may, and says so. */
  readonly limitsMemory: boolean;
  /** Ends processes too that dropped their environment, folder and session. */
  readonly endsAnything: boolean;
  /** What is left of a unit on the backend, in words. */
  readonly leftovers: (unit: UnitKey) => Promise<string[]>;
  /** All the backend shows of a unit, where a token must not be found. */
  readonly shown: (unit: UnitKey) => Promise<string>;
}

const LAUNCH_ONCE = fileURLToPath(new URL('./launch-once.ts', import.meta.url));

/** What every driver must hold. `open` gets the desk its workers talk to. */
export function launcherSuite(
  title: string,
  nodeFile: string,
  open: (desk: WorkerDesk) => Promise<DriverUnderTest>,
): void {
  describe(title, { timeout: 90_000 }, () => {
    let desk: WorkerDesk;
    let under: DriverUnderTest;
    let launcher: Launcher;
    const launched: UnitKey[] = [];
    const call = () => ({ signal: AbortSignal.timeout(60_000) });
    const say = () => {};

    beforeAll(async () => {
      desk = await openWorkerDesk(nodeFile);
      under = await open(desk);
      launcher = restarted();
    }, 180_000);

    afterAll(async () => {
      if (launcher) for (const unit of launched) await launcher.remove(unit, call());
      if (desk) await desk[Symbol.asyncDispose]();
    }, 120_000);

    /** The launcher of a server that has just started. */
    const restarted = () => under.create().forProfile({ name: 'test', settings: under.settings, limits: {} });

    function request(order: Record<string, unknown>, more: Partial<LaunchRequest> = {}) {
      const run = `r${randomBytes(8).toString('hex')}`;
      const unit = {
        ...{ jobId: `j_${run}`, attempt: 1, workerToken: JSON.stringify({ run, ...order }), image: under.image },
        ...{ resources: {}, deadlineSeconds: 600, ...more },
      };
      launched.push(unit);
      return { run, unit };
    }

    async function exited(unit: UnitKey): Promise<Extract<UnitState, { kind: 'exited' }>> {
      for (;;) {
        const state = await launcher.inspect(unit, call());
        if (state.kind === 'exited') return state;
        if (state.kind === 'missing') throw new Error('The unit is missing');
        await sleep(30);
      }
    }

    /** A process that launches as a server does. Resolves when it is about to launch. */
    async function otherServer(unit: LaunchRequest) {
      const child = spawn(process.execPath, [LAUNCH_ONCE], { stdio: ['pipe', 'pipe', 'inherit'] });
      const { module, factory, options, settings } = under;
      child.stdin.end(JSON.stringify({ module, factory, options, settings, request: unit }));
      const said = async (word: string) => {
        for await (const data of child.stdout.iterator({ destroyOnReturn: false }))
          if (String(data).includes(word)) return;
      };
      await said('ready');
      return {
        launched: () => said('launched'),
        async kill() {
          const gone = once(child, 'exit');
          child.kill('SIGKILL');
          await gone;
        },
      };
    }

    test('tells whether a unit is missing, running or ended', async () => {
      const { run, unit } = request({ do: 'wait' });
      expect(await launcher.inspect(unit, call())).toEqual({ kind: 'missing' });
      await launcher.launch(unit, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await launcher.inspect(unit, call())).toEqual({ kind: 'running' });
      await launcher.cancel(unit, { ...call(), graceMs: 20_000 });
      expect(desk.of(run, 'term')).toHaveLength(1);
      expect(await exited(unit)).toMatchObject({ exitCode: 0, outOfMemory: false });
      await launcher.remove(unit, call());
      expect(await launcher.inspect(unit, call())).toEqual({ kind: 'missing' });
      expect(await under.leftovers(unit)).toEqual([]);
    });

    test.each([0, 1, 7, 255])('tells the exit code %i, also after a restart of the server', async (code) => {
      const { run, unit } = request({ do: 'exit', code, say: 'no such agent' });
      await launcher.launch(unit, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await exited(unit)).toMatchObject({ exitCode: code, outOfMemory: false });
      const again = await restarted().inspect(unit, call());
      expect(again).toEqual(await exited(unit));
      if (code !== 0) expect(again).toMatchObject({ reason: expect.stringContaining('no such agent') });
    });

    test('launches a unit once, however often it is asked', async () => {
      const { run, unit } = request({ do: 'wait' });
      const o = { ...call(), say };
      await Promise.all([launcher.launch(unit, o), launcher.launch(unit, o), launcher.launch(unit, o)]);
      await desk.heard(run, 'up');
      await launcher.launch(unit, o);
      await restarted().launch(unit, o);
      await sleep(700);
      expect(desk.of(run, 'up')).toHaveLength(1);
      await launcher.cancel(unit, { ...call(), graceMs: 0 });
      await exited(unit);
      await launcher.launch(unit, o);
      expect(await launcher.inspect(unit, call())).toMatchObject({ kind: 'exited' });
      expect(desk.of(run, 'up')).toHaveLength(1);
    });

    test('a second attempt is another unit', async () => {
      const { run, unit } = request({ do: 'wait' });
      const second = { ...unit, attempt: 2 };
      launched.push(second);
      await launcher.launch(unit, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await launcher.inspect(second, call())).toEqual({ kind: 'missing' });
      await launcher.launch(second, { ...call(), say });
      await expect.poll(() => desk.of(run, 'up').length, { timeout: 20_000 }).toBe(2);
    });

    test('a unit survives the death of the server that launched it', async () => {
      const { run, unit } = request({ do: 'wait', everyMs: 50 });
      const other = await otherServer(unit);
      await other.launched();
      await other.kill();
      await desk.heard(run, 'up');
      expect(await launcher.inspect(unit, call())).toEqual({ kind: 'running' });
      const before = desk.of(run, 'alive').length;
      await expect.poll(() => desk.of(run, 'alive').length, { timeout: 20_000 }).toBeGreaterThan(before + 3);
      await launcher.cancel(unit, { ...call(), graceMs: 10_000 });
      expect(await exited(unit)).toMatchObject({ exitCode: 0 });
    });

    test('a server killed in the middle of a launch neither doubles nor blocks the unit', async () => {
      for (let round = 0; round < 6; round += 1) {
        const { run, unit } = request({ do: 'wait' });
        const other = await otherServer(unit);
        await sleep(randomInt(0, 120));
        await other.kill();
        await launcher.launch(unit, { ...call(), say });
        const state = await launcher.inspect(unit, call());
        // A worker whose token never came has ended without doing anything: also true, and the job sees it.
        if (state.kind === 'running') await desk.heard(run, 'up');
        await sleep(200);
        expect(desk.of(run, 'up').length).toBeLessThanOrEqual(1);
        await launcher.remove(unit, call());
      }
    });

    test('cancel leaves no process, whatever ignores TERM or hides', async () => {
      const word = `9${randomInt(100_000, 999_999)}.${randomInt(100_000, 999_999)}`;
      const { run, unit } = request({ do: 'tree', sleep: word, bare: under.endsAnything });
      await launcher.launch(unit, { ...call(), say });
      await desk.heard(run, 'up');
      expect((await processesWith(word)).length).toBeGreaterThan(4);
      await launcher.cancel(unit, { ...call(), graceMs: 1500 });
      expect(desk.of(run, 'term')).toHaveLength(1);
      expect(await processesWith(word)).toEqual([]);
      expect((await exited(unit)).outOfMemory).toBe(false);
      await launcher.cancel(unit, { ...call(), graceMs: 1500 });
      await launcher.remove(unit, call());
      expect(await under.leftovers(unit)).toEqual([]);
    });

    test('cancel and remove of a unit that never was are fine', async () => {
      const { unit } = request({ do: 'wait' });
      await launcher.cancel(unit, { ...call(), graceMs: 1000 });
      await launcher.remove(unit, call());
      expect(await launcher.inspect(unit, call())).toEqual({ kind: 'missing' });
    });

    test('remove ends what still runs and takes all of it away', async () => {
      const word = `9${randomInt(100_000, 999_999)}.${randomInt(100_000, 999_999)}`;
      const { run, unit } = request({ do: 'tree', sleep: word });
      await launcher.launch(unit, { ...call(), say });
      await desk.heard(run, 'up');
      await launcher.remove(unit, call());
      expect(await processesWith(word)).toEqual([]);
      expect(await under.leftovers(unit)).toEqual([]);
      await launcher.remove(unit, call());
    });

    test('sweep removes what nobody owns, and nothing else', async () => {
      const owned = request({ do: 'wait' });
      const orphan = request({ do: 'wait' });
      const ended = request({ do: 'exit', code: 3 });
      for (const { run, unit } of [owned, orphan, ended]) {
        await launcher.launch(unit, { ...call(), say });
        await desk.heard(run, 'up');
      }
      const report = await restarted().sweep(
        async (unit) => ![orphan.unit.jobId, ended.unit.jobId].includes(unit.jobId) && unit.attempt >= 1,
        call(),
      );
      expect(report.removed).toHaveLength(2);
      expect(report.kept).toBeGreaterThanOrEqual(1);
      expect(await launcher.inspect(owned.unit, call())).toEqual({ kind: 'running' });
      for (const { unit } of [orphan, ended]) {
        expect(await launcher.inspect(unit, call())).toEqual({ kind: 'missing' });
        expect(await under.leftovers(unit)).toEqual([]);
      }
    });

    test('the token is in no command line, no environment and nothing the backend shows', async () => {
      const secret = `secret-${randomBytes(12).toString('hex')}`;
      const { run, unit } = request({ do: 'wait', secret });
      await launcher.launch(unit, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await processesWith(secret)).toEqual([]);
      expect(await environmentsWith(secret)).toEqual([]);
      expect(await under.shown(unit)).not.toContain(secret);
    });

    test('the worker gets what its contract says and no more', async () => {
      const { run, unit } = request({
        do: 'look',
        commands: { git: ['git', '--version'], sh: ['sh', '-c', 'echo $PATH'] },
      });
      await launcher.launch(unit, { ...call(), say });
      const seen = await desk.heard(run, 'up');
      expect(seen).toMatchObject({ inFolder: 'written', inHome: 'written' });
      expect(seen.env).toMatchObject({
        HANGAR_WORKER_URL: expect.any(String),
        HANGAR_WORKER_DIR: expect.any(String),
      });
      expect(seen.env).not.toHaveProperty('LD_LIBRARY_PATH');
      expect(seen.ran).toMatchObject({ git: expect.stringMatching(/^0 git version/) });
      expect(await exited(unit)).toMatchObject({ exitCode: 0 });
    });

    test('many at once', async () => {
      const many = Array.from({ length: 12 }, () => request({ do: 'exit', code: 0 }));
      await Promise.all(many.map(({ unit }) => launcher.launch(unit, { ...call(), say })));
      for (const { run, unit } of many) {
        await desk.heard(run, 'up', 60_000);
        expect(await exited(unit)).toMatchObject({ exitCode: 0 });
        expect(desk.of(run, 'up')).toHaveLength(1);
      }
      await Promise.all(many.map(({ unit }) => launcher.remove(unit, call())));
    });

    test('a unit over its memory ends as out of memory', async (context) => {
      context.skip(!under.limitsMemory, 'this driver cannot limit memory');
      const { run, unit } = request({ do: 'memory' }, { resources: { memoryBytes: 256 * 1024 * 1024 } });
      await launcher.launch(unit, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await exited(unit)).toMatchObject({ outOfMemory: true, reason: expect.stringContaining('256 MiB') });
    });

    test('test proves the profile and leaves nothing', async () => {
      const checks = await launcher.test(call());
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect(checks.length).toBeGreaterThanOrEqual(4);
      const report = await launcher.sweep(async (unit) => launched.some((one) => one.jobId === unit.jobId), call());
      expect(report.removed).toEqual([]);
    });

    test('describe gives the schema of the settings', async () => {
      const driver = await under.create().describe(call());
      expect(driver).toMatchObject({ detail: expect.any(String), settingsSchema: { type: 'object' } });
    });
  });
}

async function environmentsWith(word: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (environment.includes(word)) found.push(pid);
  }
  return found;
}
