import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSandbox } from '../machine/sandbox.ts';
import type { ExecutionSpec, Result } from '../machine/types.ts';
import type { Driver, Reach } from '../port/driver.ts';
import type { Program, UnitKey, UnitSpec, UnitState, Units } from '../port/unit.ts';
import { profileWith } from './profile.ts';
import { openWorkerDesk, processesWith, type WorkerDesk } from './worker-desk.ts';

/** What a driver tells of itself so that the suite can make it, here and in a process that will be killed. */
export interface DriverUnderTest {
  /** URL of the module, name of its factory, and its options without `log`. */
  readonly module: string;
  readonly factory: string;
  readonly options: Record<string, unknown>;
  readonly create: () => Driver;
  readonly settings: Record<string, unknown>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly image: string | null;
  /** Kills a unit that takes more memory than it may, and says so. */
  readonly limitsMemory: boolean;
  /**
   * The unit is a machine that lives on when its program has ended, until it is removed: then a machine in hand that was stopped has other
   * words, or is only paused, and the driver's own tests hold it.
   */
  readonly outlivesProgram?: boolean;
  /** Ends processes too that dropped their environment, folder and session. */
  readonly endsAnything: boolean;
  /** What is left of a unit on the backend, in words. */
  readonly leftovers: (key: UnitKey) => Promise<string[]>;
  /** All the backend shows of a unit, where a token must not be found. */
  readonly shown: (key: UnitKey) => Promise<string>;
}

const ENSURE_ONCE = fileURLToPath(new URL('./ensure-once.ts', import.meta.url));

/** What every driver must hold. `open` gets the desk its workers talk to. */
export function unitSuite(title: string, nodeFile: string, open: (desk: WorkerDesk) => Promise<DriverUnderTest>): void {
  describe(title, { timeout: 90_000 }, () => {
    let desk: WorkerDesk;
    let under: DriverUnderTest;
    let units: Units;
    const made: UnitKey[] = [];
    const call = () => ({ signal: AbortSignal.timeout(60_000) });
    const say = () => {};

    beforeAll(async () => {
      desk = await openWorkerDesk(nodeFile);
      under = await open(desk);
      units = restarted().units;
    }, 180_000);

    afterAll(async () => {
      if (units) for (const key of made) await units.remove(key, call());
      if (desk) await desk[Symbol.asyncDispose]();
    }, 120_000);

    /** What a server has that has just started. */
    const restarted = (): Reach => under.create().forProfile(profileWith(under.settings, {}, under.secrets));

    /** A unit that runs the scripted worker with such an order. */
    function working(order: Record<string, unknown>, more: Partial<UnitSpec> = {}) {
      const run = `r${randomBytes(8).toString('hex')}`;
      const spec = unit({ kind: 'brought', name: 'worker', input: JSON.stringify({ run, ...order }) }, more);
      return { run, spec, key: spec.key };
    }
    function unit(program: Program, more: Partial<UnitSpec> = {}): UnitSpec {
      const key = { id: `j_u${randomBytes(8).toString('hex')}`, attempt: 1 };
      made.push(key);
      return { key, program, image: under.image, resources: {}, deadlineSeconds: 600, ...more };
    }

    async function exited(key: UnitKey): Promise<Extract<UnitState, { kind: 'exited' }>> {
      for (;;) {
        const state = await units.inspect(key, call());
        if (state.kind === 'exited') return state;
        if (state.kind === 'missing') throw new Error('The unit is missing');
        await sleep(30);
      }
    }

    /** A process that makes a unit as a server does. Resolves when it is about to. */
    async function otherServer(spec: UnitSpec) {
      const child = spawn(process.execPath, [ENSURE_ONCE], { stdio: ['pipe', 'pipe', 'inherit'] });
      const { module, factory, options, settings, secrets = {} } = under;
      child.stdin.end(JSON.stringify({ module, factory, options, settings, secrets, spec }));
      const said = async (word: string) => {
        for await (const data of child.stdout.iterator({ destroyOnReturn: false }))
          if (String(data).includes(word)) return;
      };
      await said('ready');
      return {
        made: () => said('made'),
        async kill() {
          const gone = once(child, 'exit');
          child.kill('SIGKILL');
          await gone;
        },
      };
    }

    test('tells whether a unit is missing, running or ended', async () => {
      const { run, spec, key } = working({ do: 'wait' });
      expect(await units.inspect(key, call())).toEqual({ kind: 'missing' });
      await units.ensure(spec, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await units.inspect(key, call())).toEqual({ kind: 'running' });
      await units.stop(key, { ...call(), graceMs: 20_000 });
      expect(desk.of(run, 'term')).toHaveLength(1);
      expect(await exited(key)).toMatchObject({ exitCode: 0, outOfMemory: false });
      await units.remove(key, call());
      expect(await units.inspect(key, call())).toEqual({ kind: 'missing' });
      expect(await under.leftovers(key)).toEqual([]);
    });

    test.each([0, 1, 7, 255])('tells the exit code %i, also after a restart of the server', async (code) => {
      const { run, spec, key } = working({ do: 'exit', code, say: 'no such agent' });
      await units.ensure(spec, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await exited(key)).toMatchObject({ exitCode: code, outOfMemory: false });
      const again = await restarted().units.inspect(key, call());
      expect(again).toEqual(await exited(key));
      if (code !== 0) expect(again).toMatchObject({ reason: expect.stringContaining('no such agent') });
    });

    test('makes a unit once, however often it is asked', async () => {
      const { run, spec, key } = working({ do: 'wait' });
      const o = { ...call(), say };
      await Promise.all([units.ensure(spec, o), units.ensure(spec, o), units.ensure(spec, o)]);
      await desk.heard(run, 'up');
      await units.ensure(spec, o);
      await restarted().units.ensure(spec, o);
      await sleep(700);
      expect(desk.of(run, 'up')).toHaveLength(1);
      await units.stop(key, { ...call(), graceMs: 0 });
      await exited(key);
      await units.ensure(spec, o);
      expect(await units.inspect(key, call())).toMatchObject({ kind: 'exited' });
      expect(desk.of(run, 'up')).toHaveLength(1);
    });

    test('a second attempt is another unit', async () => {
      const { run, spec, key } = working({ do: 'wait' });
      const second = { ...spec, key: { ...key, attempt: 2 } };
      made.push(second.key);
      await units.ensure(spec, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await units.inspect(second.key, call())).toEqual({ kind: 'missing' });
      await units.ensure(second, { ...call(), say });
      await expect.poll(() => desk.of(run, 'up').length, { timeout: 20_000 }).toBe(2);
    });

    test('a unit survives the death of the server that made it', async () => {
      const { run, spec, key } = working({ do: 'wait', everyMs: 50 });
      const other = await otherServer(spec);
      await other.made();
      await other.kill();
      await desk.heard(run, 'up');
      expect(await units.inspect(key, call())).toEqual({ kind: 'running' });
      const before = desk.of(run, 'alive').length;
      await expect.poll(() => desk.of(run, 'alive').length, { timeout: 20_000 }).toBeGreaterThan(before + 3);
      await units.stop(key, { ...call(), graceMs: 10_000 });
      expect(await exited(key)).toMatchObject({ exitCode: 0 });
    });

    test('a server killed while it makes a unit neither doubles nor blocks the unit', async () => {
      for (let round = 0; round < 6; round += 1) {
        const { run, spec, key } = working({ do: 'wait' });
        const other = await otherServer(spec);
        await sleep(randomInt(0, 120));
        await other.kill();
        await units.ensure(spec, { ...call(), say });
        const state = await units.inspect(key, call());
        // A worker whose token never came has ended without doing anything: also true, and the job sees it.
        if (state.kind === 'running') await desk.heard(run, 'up');
        await sleep(200);
        expect(desk.of(run, 'up').length).toBeLessThanOrEqual(1);
        await units.remove(key, call());
      }
    });

    test('stop leaves no process, whatever ignores TERM or hides', async () => {
      const word = `9${randomInt(100_000, 999_999)}.${randomInt(100_000, 999_999)}`;
      const { run, spec, key } = working({ do: 'tree', sleep: word, bare: under.endsAnything });
      await units.ensure(spec, { ...call(), say });
      await desk.heard(run, 'up');
      expect((await processesWith(word)).length).toBeGreaterThan(4);
      await units.stop(key, { ...call(), graceMs: 1500 });
      expect(desk.of(run, 'term')).toHaveLength(1);
      expect(await processesWith(word)).toEqual([]);
      expect((await exited(key)).outOfMemory).toBe(false);
      await units.stop(key, { ...call(), graceMs: 1500 });
      await units.remove(key, call());
      expect(await under.leftovers(key)).toEqual([]);
    });

    test('stop and remove of a unit that never was are fine', async () => {
      const { key } = working({ do: 'wait' });
      await units.stop(key, { ...call(), graceMs: 1000 });
      await units.remove(key, call());
      expect(await units.inspect(key, call())).toEqual({ kind: 'missing' });
    });

    test('remove ends what still runs and takes all of it away', async () => {
      const word = `9${randomInt(100_000, 999_999)}.${randomInt(100_000, 999_999)}`;
      const { run, spec, key } = working({ do: 'tree', sleep: word });
      await units.ensure(spec, { ...call(), say });
      await desk.heard(run, 'up');
      await units.remove(key, call());
      expect(await processesWith(word)).toEqual([]);
      expect(await under.leftovers(key)).toEqual([]);
      await units.remove(key, call());
    });

    test('sweep removes what nobody owns, and nothing else', async () => {
      const owned = working({ do: 'wait' });
      const orphan = working({ do: 'wait' });
      const ended = working({ do: 'exit', code: 3 });
      for (const { run, spec } of [owned, orphan, ended]) {
        await units.ensure(spec, { ...call(), say });
        await desk.heard(run, 'up');
      }
      const report = await restarted().units.sweep(
        async ({ id, attempt }) => ![orphan.key.id, ended.key.id].includes(id) && attempt >= 1,
        call(),
      );
      expect(report.removed).toHaveLength(2);
      expect(report.kept).toBeGreaterThanOrEqual(1);
      expect(await units.inspect(owned.key, call())).toEqual({ kind: 'running' });
      for (const { key } of [orphan, ended]) {
        expect(await units.inspect(key, call())).toEqual({ kind: 'missing' });
        expect(await under.leftovers(key)).toEqual([]);
      }
    });

    test('the token is in no command line, no environment and nothing the backend shows', async () => {
      const secret = `secret-${randomBytes(12).toString('hex')}`;
      const { run, spec, key } = working({ do: 'wait', secret });
      await units.ensure(spec, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await processesWith(secret)).toEqual([]);
      expect(await environmentsWith(secret)).toEqual([]);
      expect(await under.shown(key)).not.toContain(secret);
    });

    test('the worker gets what its contract says and no more', async () => {
      const { run, spec, key } = working({
        do: 'look',
        commands: { git: ['git', '--version'], sh: ['sh', '-c', 'echo $PATH'] },
      });
      await units.ensure(spec, { ...call(), say });
      const seen = await desk.heard(run, 'up');
      expect(seen).toMatchObject({ inFolder: 'written', inHome: 'written' });
      expect(seen.env).toMatchObject({
        HANGAR_WORKER_URL: expect.any(String),
        HANGAR_WORKER_DIR: expect.any(String),
      });
      expect(seen.env).not.toHaveProperty('LD_LIBRARY_PATH');
      expect(seen.ran).toMatchObject({ git: expect.stringMatching(/^0 git version/) });
      expect(await exited(key)).toMatchObject({ exitCode: 0 });
    });

    test('many at once', async () => {
      const many = Array.from({ length: 12 }, () => working({ do: 'exit', code: 0 }));
      await Promise.all(many.map(({ spec }) => units.ensure(spec, { ...call(), say })));
      for (const { run, key } of many) {
        await desk.heard(run, 'up', 60_000);
        expect(await exited(key)).toMatchObject({ exitCode: 0 });
        expect(desk.of(run, 'up')).toHaveLength(1);
      }
      await Promise.all(many.map(({ key }) => units.remove(key, call())));
    });

    test('a unit over its memory ends as out of memory', async (context) => {
      context.skip(!under.limitsMemory, 'this driver cannot limit memory');
      const { run, spec, key } = working({ do: 'memory' }, { resources: { memoryBytes: 256 * 1024 * 1024 } });
      await units.ensure(spec, { ...call(), say });
      await desk.heard(run, 'up');
      expect(await exited(key)).toMatchObject({ outOfMemory: true, reason: expect.stringContaining('256 MiB') });
    });

    test('a program that the driver was not given is refused', async () => {
      const spec = unit({ kind: 'brought', name: 'nobody', input: '' });
      await expect(units.ensure(spec, { ...call(), say })).rejects.toMatchObject({ code: 'internal' });
      expect(await units.inspect(spec.key, call())).toEqual({ kind: 'missing' });
    });

    test('a machine in hand waits, is told from what it is for, and ends by TERM', async (context) => {
      context.skip(under.outlivesProgram === true, 'this driver has tests of its own for it');
      const spec = unit({ kind: 'hold' }, { deadlineSeconds: null });
      await Promise.all([units.ensure(spec, { ...call(), say }), units.ensure(spec, { ...call(), say })]);
      await expect.poll(() => units.inspect(spec.key, call()), { timeout: 30_000 }).toEqual({ kind: 'running' });
      await restarted().units.ensure(spec, { ...call(), say });
      expect(await restarted().units.inspect(spec.key, call())).toEqual({ kind: 'running' });
      await units.stop(spec.key, { ...call(), graceMs: 20_000 });
      expect(await exited(spec.key)).toMatchObject({ outOfMemory: false, reason: 'The machine has ended' });
      await units.remove(spec.key, call());
      expect(await units.inspect(spec.key, call())).toEqual({ kind: 'missing' });
      expect(await under.leftovers(spec.key)).toEqual([]);
    });

    test('what is brought to a machine in hand reaches this server by the URL it is told, and reads its input', async () => {
      const spec = unit({ kind: 'hold' }, { deadlineSeconds: null });
      await units.ensure(spec, { ...call(), say });
      await expect.poll(() => units.inspect(spec.key, call()), { timeout: 30_000 }).toEqual({ kind: 'running' });
      const hand = openSandbox(await units.machine(spec.key, call()), { brought: desk.brought });
      const run = randomBytes(8).toString('hex');
      const work: ExecutionSpec = {
        ...{
          id: `e_${run}`,
          command: await hand.programs.command('worker', { ...call(), say }),
          cwd: null,
          user: null,
        },
        env: {
          HANGAR_WORKER_URL: await units.serverUrl(spec.key, call()),
          HANGAR_WORKER_DIR: `${await hand.programs.workFolder(call())}/${run}`,
        },
        stdin: { text: JSON.stringify({ run, do: 'exit', say: "it's \\ $HOME" }) },
        ...{ terminal: null, timeoutMs: 60_000, graceMs: 1_000 },
      };
      let result: Result | null = null;
      for await (const output of hand.executions.run(work, { stdout: 0, stderr: 0 }, call()))
        if (output.type === 'end') ({ result } = output);
      expect(result).toMatchObject({ reason: 'exited', exitCode: 0 });
      await desk.heard(run, 'up');
      await units.remove(spec.key, call());
    });

    test('a machine in hand survives the death of the server that made it, and is swept once nobody owns it', async () => {
      const spec = unit({ kind: 'hold' }, { deadlineSeconds: null });
      const other = await otherServer(spec);
      await other.made();
      await other.kill();
      await expect.poll(() => units.inspect(spec.key, call()), { timeout: 30_000 }).toEqual({ kind: 'running' });
      const report = await restarted().units.sweep(async ({ id }) => id !== spec.key.id, call());
      expect(report.removed).toHaveLength(1);
      expect(await under.leftovers(spec.key)).toEqual([]);
    });

    test('a driver that is disposed leaves its units to the next', async () => {
      const spec = unit({ kind: 'hold' }, { deadlineSeconds: null });
      const driver = under.create();
      const first = driver.forProfile(profileWith(under.settings, {}, under.secrets)).units;
      await first.ensure(spec, { ...call(), say });
      await expect.poll(() => first.inspect(spec.key, call()), { timeout: 30_000 }).toEqual({ kind: 'running' });
      await driver[Symbol.asyncDispose]();
      const next = restarted().units;
      expect(await next.inspect(spec.key, call())).toEqual({ kind: 'running' });
      await next.remove(spec.key, call());
      expect(await next.inspect(spec.key, call())).toEqual({ kind: 'missing' });
      expect(await under.leftovers(spec.key)).toEqual([]);
    });

    test('what can be paused holds still, goes on, and ends in either', async (context) => {
      context.skip(under.outlivesProgram === true, 'this driver has tests of its own for it');
      const { capabilities } = await under.create().describe(call());
      const { pause, resume } = units;
      expect([Boolean(pause), Boolean(resume)]).toEqual([capabilities.pause, capabilities.pause]);
      if (!pause || !resume) return;
      const { run, spec, key } = working({ do: 'wait', everyMs: 50 });
      await units.ensure(spec, { ...call(), say });
      await desk.heard(run, 'up');
      for (let time = 0; time < 2; time += 1) await pause(key, call());
      expect(await restarted().units.inspect(key, call())).toEqual({ kind: 'paused' });
      for (let time = 0; time < 2; time += 1) await resume(key, call());
      expect(await units.inspect(key, call())).toEqual({ kind: 'running' });
      const before = desk.of(run, 'alive').length;
      await expect.poll(() => desk.of(run, 'alive').length, { timeout: 20_000 }).toBeGreaterThan(before);
      await pause(key, call());
      await units.stop(key, { ...call(), graceMs: 20_000 });
      expect(await exited(key)).toMatchObject({ exitCode: 0 });
      await expect(pause(key, call())).rejects.toMatchObject({ code: 'sandbox_gone' });
      await units.remove(key, call());
      await expect(resume(key, call())).rejects.toMatchObject({ code: 'sandbox_gone' });
    });

    test('test proves the profile and leaves nothing', async () => {
      const checks = await restarted().test(call());
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect(checks.length).toBeGreaterThanOrEqual(4);
      const report = await units.sweep(async ({ id }) => made.some((one) => one.id === id), call());
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
