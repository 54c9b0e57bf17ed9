import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodePath } from '@hangar/contract';
import { extract, pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSandbox } from '../machine/sandbox.ts';
import type { ExecutionSpec, InputChannel, Offsets, Output, Result, Sandbox } from '../machine/types.ts';
import type { Machine } from '../port/machine.ts';

/** A machine of some driver that tests may do anything in, and what they need beside it. */
export interface MachineBed {
  machine(): Promise<Machine>;
  /** The same machine as a server sees it that has just started: nothing kept of what was opened before. */
  reopened(): Promise<Machine>;
  /** Numbers of the living processes in it (or on its host) whose environment or arguments hold the word. */
  processesWith(word: string): Promise<number[]>;
  /** A folder in it to work in, which is there; one below /tmp when left out. */
  folder?: string;
  /** A folder in it on a file system of at most 64 MiB: for what happens when the disk is full. */
  smallFolder?: string;
  /** Ends it while something runs in it; after that nothing else is asked of this bed. */
  destroy(): Promise<void>;
  close(): Promise<void>;
}

export interface MachineSuiteOptions {
  /** Of the output that a slow reader takes; 100 MiB where it is quick. */
  readonly outputBytes?: number;
  /** Channels break by themselves: what is read is read through breaks. */
  readonly breaks?: boolean;
  /** Why what needs them cannot be tested. */
  readonly skip?: string | null;
}

const FROM: Offsets = { stdout: 0, stderr: 0 };
const BASE = { cwd: null, env: {}, user: null, stdin: 'none', terminal: null, timeoutMs: null, graceMs: 2000 } as const;
const MINUTE = 120_000;

/**
 * What must hold of the common layer over the machines of any driver:
 * - executions: exit 0, 7, 126, 127; SIGKILL and SIGTERM; each stream in order and apart; bytes 0x00 to 0xff both ways; UTF-8 in pieces;
 *   much output and a slow reader; standard input and its end; variables with newlines, quotes and `=`; a folder that is missing; a script
 *   of 200 kB and of 1 MiB, an argument that is too long; no newline at the end; a background process that holds the output; a program
 *   that empties /dev/stderr; a time limit; cancel of a tree with `setsid`, ignored TERM and `env -i`; an abort before, in and after the
 *   start and after the end; two cancels; output that fills the disk; a channel that is cut, a server that starts anew; a machine that is
 *   destroyed; 20 at once; started twice; terminals that are attached again and typed into, several who type at once; forgotten without a trace
 * - files: stat, list, read, write, of links, names with newlines and of no UTF-8, modes; a disk that is full; an archive that leads out;
 *   1,000 files there and back by digest
 * - load and platform that can be true
 */
export function machineSuite(title: string, open: () => Promise<MachineBed>, o: MachineSuiteOptions = {}): void {
  describe.skipIf(o.skip)(o.skip ? `${title} (skipped: ${o.skip})` : title, () => {
    let bed: MachineBed;
    let box: Sandbox;
    const run = randomBytes(4).toString('hex');
    let count = 0;
    const id = (): string => `x_${run}_${count++}`;
    const signal = () => AbortSignal.timeout(MINUTE);
    const call = () => ({ signal: signal() });
    let work = `/tmp/hangar-suite-${run}`;

    beforeAll(async () => {
      bed = await open();
      if (bed.folder !== undefined) work = `${bed.folder}/suite`;
      box = openSandbox(await bed.machine());
      await throughBreaks(() => box.files.mkdir(work, call()));
    });
    afterAll(() => bed?.close());

    /** What may be repeated is, where channels break by themselves. */
    async function throughBreaks<T>(work: () => Promise<T>): Promise<T> {
      for (;;)
        try {
          return await work();
        } catch (error) {
          if (!o.breaks || (error as { code?: string }).code !== 'connection_lost') throw error;
        }
    }

    type Spec = Partial<ExecutionSpec> & Pick<ExecutionSpec, 'command'>;
    interface Ran {
      readonly id: string;
      readonly stdout: Buffer;
      readonly stderr: Buffer;
      readonly result: Result;
    }
    const specOf = (spec: Spec): ExecutionSpec => ({ ...BASE, id: id(), ...spec });

    /** Follows until the end, over breaks, and holds each offset against what came before. */
    async function ended(
      follow: (from: Offsets) => AsyncIterable<Output>,
      from: Offsets = FROM,
    ): Promise<Omit<Ran, 'id'>> {
      const parts = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
      const at = { ...from };
      for (;;) {
        const result = await throughBreaks(async () => {
          for await (const event of follow({ ...at })) {
            if (event.type === 'end') return event.result;
            if (event.type === 'started') continue;
            expect(event.offset).toBe(at[event.type]);
            at[event.type] += event.data.length;
            parts[event.type].push(event.data);
          }
          return null;
        });
        if (result === null) throw new Error('It ended without a result.');
        return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr), result };
      }
    }
    async function runs(given: Spec): Promise<Ran> {
      const spec = specOf(given);
      return { id: spec.id, ...(await ended((from) => box.executions.run(spec, from, call()))) };
    }
    const shell = (script: string, spec: Partial<ExecutionSpec> = {}) => runs({ command: { shell: script }, ...spec });
    /** Starts one and reads on until its output holds the words. */
    async function until(given: Spec, words: string): Promise<{ spec: ExecutionSpec; stdout: string }> {
      const spec = specOf(given);
      let stdout = '';
      await throughBreaks(async () => {
        for await (const event of box.executions.run(spec, { stdout: stdout.length, stderr: 0 }, call())) {
          if (event.type === 'stdout') stdout += Buffer.from(event.data).toString('latin1');
          if (event.type === 'end')
            throw new Error(`It ended before it said ${words}: ${JSON.stringify(event.result)}`);
          if (stdout.includes(words)) return;
        }
      });
      return { spec, stdout };
    }
    const gone = async (word: string) => {
      for (let left = await bed.processesWith(word); left.length > 0; left = await bed.processesWith(word))
        await sleep(100);
    };

    describe('executions', () => {
      test('how a program ends is told as it is', async () => {
        expect((await shell('true')).result).toMatchObject({
          reason: 'exited',
          exitCode: 0,
          signal: null,
          message: null,
        });
        expect((await shell('exit 7')).result).toMatchObject({ reason: 'exited', exitCode: 7, signal: null });
        expect((await shell('kill -9 $$')).result).toMatchObject({
          reason: 'signaled',
          exitCode: null,
          signal: 'SIGKILL',
        });
        expect((await shell('kill -15 $$')).result).toMatchObject({
          reason: 'signaled',
          exitCode: null,
          signal: 'SIGTERM',
        });
      });

      test('what cannot start says so, with the code of a shell', async () => {
        const started = async (spec: Spec) => (await runs(spec)).result;
        expect(await started({ command: ['hangar-no-such-program'] })).toMatchObject({
          reason: 'not_started',
          exitCode: 127,
        });
        expect(await started({ command: ['/etc/passwd'] })).toMatchObject({ reason: 'not_started', exitCode: 126 });
        expect(await started({ command: ['true'], cwd: '/no/such folder' })).toMatchObject({
          reason: 'not_started',
          exitCode: 126,
          message: 'The folder it should run in is not there.',
        });
        // The shell of a script knows it, and its script does not.
        expect((await shell('hangar-no-such-program')).result).toMatchObject({ reason: 'exited', exitCode: 127 });
      });

      test('both streams come apart, whole and in order, with or without a newline at the end', async () => {
        const script =
          'i=0; while [ $i -lt 200 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; printf end; printf END >&2';
        const ran = await shell(script);
        const numbers = Array.from({ length: 200 }, (_, n) => n);
        expect(ran.stdout.toString()).toBe(`${numbers.map((n) => `out ${n}\n`).join('')}end`);
        expect(ran.stderr.toString()).toBe(`${numbers.map((n) => `err ${n}\n`).join('')}END`);
        expect(ran.result.bytes).toEqual({ stdout: ran.stdout.length, stderr: ran.stderr.length });
      });

      test('every byte goes in and comes out, and input has an end', async () => {
        const bytes = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, n) => n)), randomBytes(150_000)]);
        const spec = specOf({ command: ['cat'], stdin: 'open' });
        const ending = ended((from) => box.executions.run(spec, from, call()));
        const put = (at: number, part: Buffer) => throughBreaks(() => box.executions.write(spec.id, at, part, call()));
        await waitFor(async () =>
          (await throughBreaks(() => box.executions.list(call()))).some((one) => one.id === spec.id),
        );
        expect(await put(0, bytes.subarray(0, 300))).toBe(300);
        // Again, as after a break: nothing is there twice.
        expect(await put(0, bytes.subarray(0, 300))).toBe(300);
        expect(await put(100, bytes.subarray(100, 90_000))).toBe(90_000);
        await expect(put(100_000, bytes.subarray(100_000))).rejects.toMatchObject({ code: 'input_missing' });
        expect(await put(90_000, bytes.subarray(90_000))).toBe(bytes.length);
        await throughBreaks(() => box.executions.endInput(spec.id, bytes.length, call()));
        await throughBreaks(() => box.executions.endInput(spec.id, bytes.length, call()));
        const { stdout, result } = await ending;
        expect(result).toMatchObject({ reason: 'exited', exitCode: 0 });
        expect(stdout.equals(bytes)).toBe(true);
      });

      test('a program that does not read its input ends by itself; without input it is at the end of it', async () => {
        expect((await runs({ command: ['true'], stdin: 'open' })).result).toMatchObject({
          reason: 'exited',
          exitCode: 0,
        });
        expect((await runs({ command: ['cat'] })).result).toMatchObject({ reason: 'exited', exitCode: 0 });
      });

      test('text that comes in pieces is whole', async () => {
        const { stdout } = await shell(
          "printf '\\303'; sleep 0.2; printf '\\251\\360\\237'; sleep 0.2; printf '\\230\\200'",
        );
        expect(stdout.toString()).toBe('é😀');
      });

      test('variables are what they were, and the machine keeps its own', async () => {
        const env = {
          A: 'it\'s\n"two" lines\n',
          B: 'x=y=z',
          C: '$HOME `id` \\ * é',
          D: '',
          n: 'a name of the supervisor',
        };
        const { stdout } = await shell('printf "%s|" "$A" "$B" "$C" "$D" "$n" "$HANGAR_SERVES" "$HOME"; pwd', { env });
        const home = (await throughBreaks(() => box.platform(call()))).home;
        expect(stdout.toString()).toBe(`${Object.values(env).join('|')}||${home}|${home}\n`);
        expect(
          (await runs({ command: ['sh', '-c', 'pwd; printf %s "$1"', 'sh', "a 'b'\n"], cwd: work })).stdout.toString(),
        ).toBe(`${work}\na 'b'\n`);
        const bad = box.executions.run(specOf({ command: ['true'], env: { 'A.B': '1' } }), FROM, call());
        await expect(bad[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'validation_failed' });
      });

      test('long scripts run; an argument that is too long is refused', async () => {
        for (const size of [200_000, 1024 * 1024]) {
          const { stdout, result } = await shell(`: '${'x'.repeat(size)}'\necho ran\n`);
          expect(result).toMatchObject({ reason: 'exited', exitCode: 0 });
          expect(stdout.toString()).toBe('ran\n');
        }
        const long = box.executions.run(specOf({ command: ['echo', 'x'.repeat(200_000)] }), FROM, call());
        await expect(long[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'command_too_long' });
      });

      test('a background process that holds the output does not keep it from ending', async () => {
        const word = `hold_${run}`;
        const { stdout, result } = await shell(`(WORD=${word} exec sleep 300) & echo before`);
        expect(stdout.toString()).toBe('before\n');
        expect(result).toMatchObject({ reason: 'exited', exitCode: 0, leftover: 1 });
        const left = await bed.processesWith(word);
        expect(left).toHaveLength(1);
        await shell(`kill ${left.join(' ')}`);
      });

      test('a program that opens its stderr anew loses nothing of it', async () => {
        const { stderr } = await shell('echo one >&2; echo two >/dev/stderr; echo three >/dev/stderr');
        expect(stderr.toString()).toBe('one\ntwo\nthree\n');
      });

      test('SIGINT is not ignored', async () => {
        expect((await shell('kill -2 $$; sleep 5; echo late')).result).toMatchObject({
          reason: 'signaled',
          signal: 'SIGINT',
        });
      });

      test('time is kept in the machine, also while nobody looks', async () => {
        const word = `timeout_${run}`;
        const { spec } = await until(
          {
            command: { shell: 'trap "" TERM; echo go; sleep 300 & wait; sleep 300' },
            timeoutMs: 700,
            graceMs: 300,
            env: { WORD: word },
          },
          'go',
        );
        await gone(word);
        expect((await ended((from) => box.executions.attach(spec.id, from, call()))).result).toMatchObject({
          reason: 'timeout',
          leftover: 0,
        });
      });

      test('a cancel ends the whole tree', async () => {
        const word = `tree_${run}`;
        const script = `
          sleep 301 & sh -c 'sleep 302 & sleep 303' & (trap "" TERM; sh -c 'sleep 304; sleep 305' & ) &
          setsid sleep 306 & setsid sh -c 'trap "" TERM; while :; do sleep 1; done' &
          env -i WORD=$WORD setsid sleep 307 & env -i WORD=$WORD PATH="$PATH" setsid sh -c 'sleep 308 & sleep 309' >/dev/null 2>&1 &
          sleep 1; echo go; wait; sleep 310`;
        const { spec } = await until({ command: { shell: script }, env: { WORD: word } }, 'go');
        await waitFor(async () => (await bed.processesWith(word)).length >= 10);
        const how = { graceMs: 500, signal: 'SIGTERM' } as const;
        const cancels = [1, 2].map(() => throughBreaks(() => box.executions.cancel(spec.id, how, call())));
        const [one, two] = await Promise.all(cancels);
        expect(one).toMatchObject({ reason: 'cancelled', leftover: 0 });
        expect(two).toEqual(one);
        expect(await bed.processesWith(word)).toEqual([]);
        // After the end it answers how that was.
        expect(await throughBreaks(() => box.executions.cancel(spec.id, how, call()))).toEqual(one);
        const late = await shell('exit 3');
        expect(await throughBreaks(() => box.executions.cancel(late.id, how, call()))).toEqual(late.result);
      });

      test('what one left behind goes when that is asked for, also when nothing else is known of it', async () => {
        const word = `behind_${run}`;
        const script =
          'setsid sh -c \'trap "" TERM HUP; sleep 320; sleep 321\' >/dev/null 2>&1 </dev/null & echo go; cat';
        const running = await until({ command: { shell: script }, stdin: 'open', env: { WORD: word } }, 'go');
        const { id: ended } = running.spec;
        await expect(throughBreaks(() => box.executions.endLeftover(ended, call()))).rejects.toMatchObject({
          code: 'execution_running',
        });
        await throughBreaks(() => box.executions.endInput(ended, 0, call()));
        await waitFor(async () =>
          (await throughBreaks(() => box.executions.list(call()))).some(
            ({ id, result }) => id === ended && result !== null,
          ),
        );
        expect(await bed.processesWith(word)).not.toEqual([]);
        await throughBreaks(() => box.executions.forget(ended, call()));
        await throughBreaks(() => box.executions.endLeftover(ended, call()));
        expect(await bed.processesWith(word)).toEqual([]);
        await throughBreaks(() => box.executions.endLeftover(ended, call()));
      });

      test('a cancel lets a program clean up', async () => {
        const { spec } = await until(
          { command: { shell: 'trap "echo cleaned; exit 5" TERM; echo go; while :; do sleep 0.1; done' } },
          'go',
        );
        const how = { graceMs: 60_000, signal: 'SIGTERM' } as const;
        const result = await throughBreaks(() => box.executions.cancel(spec.id, how, call()));
        expect(result).toMatchObject({ reason: 'cancelled', exitCode: 5 });
        const { stdout } = await ended((from) => box.executions.attach(spec.id, from, call()));
        expect(stdout.toString()).toBe('go\ncleaned\n');
      });

      test('an abort before, in and after the start leaves what a cancel then ends', async () => {
        const word = `abort_${run}`;
        const command = { shell: 'sleep 300' };
        for (const ms of [0, 5, 40, 150, 600]) {
          const stop = new AbortController();
          const spec = specOf({ command, env: { WORD: word } });
          const timer = setTimeout(() => stop.abort(), ms);
          if (ms === 0) stop.abort();
          const following = ended((from) => box.executions.run(spec, from, { signal: stop.signal }));
          await expect(following).rejects.toMatchObject({ name: 'AbortError' });
          clearTimeout(timer);
          const how = { graceMs: 100, signal: 'SIGTERM' } as const;
          const result = await throughBreaks(() => box.executions.cancel(spec.id, how, call()));
          expect(result).toMatchObject({ reason: 'cancelled', leftover: 0 });
        }
        await gone(word);
      });

      test('an abort after the end changes nothing', async () => {
        const stop = new AbortController();
        const spec = specOf({ command: { shell: 'echo all; exit 4' } });
        const one = await ended((from) => box.executions.run(spec, from, { signal: stop.signal }));
        stop.abort();
        expect(await ended((from) => box.executions.attach(spec.id, from, call()))).toEqual(one);
        expect(one).toMatchObject({ stdout: Buffer.from('all\n'), result: { reason: 'exited', exitCode: 4 } });
      });

      test('output that fills the disk: what is there is whole, what is missing is said, and a start is refused', async (context) => {
        context.skip(bed.smallFolder === undefined, 'there is no small file system here');
        const folder = `${bed.smallFolder}/spool`;
        await throughBreaks(() => box.files.mkdir(folder, call()));
        const small = openSandbox(await bed.machine(), { folder });
        const spec = specOf({ command: { shell: "yes 'a line of sixteen' | head -c 100000000; echo code $? >&2" } });
        const { stdout, result } = await ended((from) => small.executions.run(spec, from, call()));
        expect(result).toMatchObject({ message: expect.stringContaining('full') });
        expect(stdout.length).toBeGreaterThan(1024 * 1024);
        expect(stdout.length).toBe(result.bytes.stdout);
        await throughBreaks(() => small.executions.forget(spec.id, call()));
        // What fills it and stays is ended all the same, by hand and by the clock.
        const word = `full_${run}`;
        const filling = { shell: `exec 3>"$FILE"; yes >&3 2>/dev/null; echo full; sleep 300` };
        for (const [timeoutMs, reason] of [
          [null, 'cancelled'],
          [4000, 'timeout'],
        ] as const) {
          const env = { WORD: word, FILE: `${bed.smallFolder}/filled` };
          const stays = specOf({ command: filling, env, timeoutMs, graceMs: 300 });
          const ending = ended((from) => small.executions.run(stays, from, call()));
          if (timeoutMs === null) {
            await waitFor(async () => {
              const stat = await throughBreaks(() => box.files.stat(`${bed.smallFolder}/filled`, call()));
              return (stat?.size ?? 0) > 1024 * 1024;
            });
            await sleep(500);
            const how = { graceMs: 300, signal: 'SIGTERM' } as const;
            await throughBreaks(() => small.executions.cancel(stays.id, how, call()));
          }
          expect((await ending).result).toMatchObject({ reason, leftover: 0 });
          // What a start left that broke and came too late has made room again meanwhile.
          const again = specOf({ command: { shell: 'cat /dev/zero >>"$FILE" 2>/dev/null; exit 0' }, env });
          await ended((from) => box.executions.run(again, from, call()));
          const late = specOf({ command: ['true'] });
          const begun = () => small.executions.run(late, FROM, call())[Symbol.asyncIterator]().next();
          await expect(throughBreaks(begun)).rejects.toMatchObject({ code: 'disk_full' });
          await throughBreaks(() => box.files.remove(`${bed.smallFolder}/filled`, call()));
        }
        await gone(word);
        const after = specOf({ command: { shell: 'echo room' } });
        expect((await ended((from) => small.executions.run(after, from, call()))).stdout.toString()).toBe('room\n');
        await throughBreaks(() => box.files.remove(folder, { ...call(), recursive: true }));
      });

      test('a reader that goes away and comes back misses nothing and reads nothing twice', async () => {
        const spec = specOf({
          command: {
            shell:
              'i=0; while [ $i -lt 300 ]; do echo line $i; echo side $i >&2; i=$((i+1)); [ $((i % 30)) = 0 ] && sleep 0.1; done; exit 7',
          },
        });
        const at = { stdout: 0, stderr: 0 };
        const parts = { stdout: '', stderr: '' };
        let result: Result | null = null;
        for (let turn = 0; result === null; turn++) {
          // Every second time as a server that has just started.
          const from = turn % 2 === 0 ? box : openSandbox(await bed.reopened());
          let taken = 0;
          const follow =
            turn === 0 ? from.executions.run(spec, at, call()) : from.executions.attach(spec.id, at, call());
          await throughBreaks(async () => {
            for await (const event of follow) {
              if (event.type === 'end') result = event.result;
              if (event.type !== 'stdout' && event.type !== 'stderr') continue;
              expect(event.offset).toBe(at[event.type]);
              at[event.type] += event.data.length;
              parts[event.type] += Buffer.from(event.data).toString();
              if (++taken > 3 && turn < 12) break;
            }
          });
        }
        const numbers = Array.from({ length: 300 }, (_, n) => n);
        expect(parts.stdout).toBe(numbers.map((n) => `line ${n}\n`).join(''));
        expect(parts.stderr).toBe(numbers.map((n) => `side ${n}\n`).join(''));
        expect(result).toMatchObject({ reason: 'exited', exitCode: 7 });
      });

      test('much output and a slow reader: nothing is lost, and it waits in the machine', async () => {
        const bytes = o.outputBytes ?? 100 * 1024 * 1024;
        // Lines that differ, and an end that is none.
        const script = `i=0; yes 'The quick brown fox jumps over the lazy dog 0123456789' | head -c ${bytes}; echo done >&2`;
        const spec = specOf({ command: { shell: script } });
        const digest = createHash('sha256');
        const at = { stdout: 0, stderr: 0 };
        let most = 0;
        const before = process.memoryUsage().rss;
        let end: Result | null = null;
        while (end === null)
          await throughBreaks(async () => {
            for await (const event of box.executions.run(spec, at, call())) {
              if (event.type === 'end') end = event.result;
              if (event.type !== 'stdout' && event.type !== 'stderr') continue;
              if (event.type === 'stdout') digest.update(event.data);
              at[event.type] += event.data.length;
              most = Math.max(most, event.data.length);
              if (at.stdout < 4 * 1024 * 1024) await sleep(5);
            }
          });
        expect(at).toEqual({ stdout: bytes, stderr: 5 });
        const line = Buffer.from('The quick brown fox jumps over the lazy dog 0123456789\n');
        const wanted = createHash('sha256');
        const block = Buffer.concat(Array.from({ length: 10_000 }, () => line));
        for (let left = bytes; left > 0; left -= block.length)
          wanted.update(block.subarray(0, Math.min(left, block.length)));
        expect(digest.digest('hex')).toBe(wanted.digest('hex'));
        expect(most).toBeLessThanOrEqual(2 * 1024 * 1024);
        expect(process.memoryUsage().rss - before).toBeLessThan(Math.max(bytes, 160 * 1024 * 1024));
        expect(end).toMatchObject({ reason: 'exited', bytes: { stdout: bytes, stderr: 5 } });
        await throughBreaks(() => box.executions.forget(spec.id, call()));
      });

      test('started twice and at once, it runs once', async () => {
        const spec = specOf({
          command: { shell: `echo ran >>"$FILE"; sleep 0.3; echo end` },
          env: { FILE: `${work}/once` },
        });
        const both = await Promise.all([1, 2, 3].map(() => ended((from) => box.executions.run(spec, from, call()))));
        both.push(await ended((from) => box.executions.run(spec, from, call())));
        for (const one of both) expect(one.stdout.toString()).toBe('end\n');
        expect(await textOf(`${work}/once`)).toBe('ran\n');
      });

      test('20 at once', async () => {
        const all = await Promise.all(Array.from({ length: 20 }, (_, n) => shell(`echo ${n}; sleep 0.2; exit ${n}`)));
        expect(all.map((one) => one.stdout.toString())).toEqual(all.map((_, n) => `${n}\n`));
        expect(all.map((one) => one.result.exitCode)).toEqual(all.map((_, n) => n));
      });

      /** Kills parts of what supervises an execution, or follows it: `$s` the supervisor, `$k` its keeper, `$c` what copies, `$t` tails. */
      const kill = async (of: string, parts: string) => {
        const script = `
          read -r p s ps ss k <"$(dirname "$0")/../$OF/pid"; c= t=
          for f in /proc/[0-9]*; do
            read -r line 2>/dev/null <"$f/stat" || continue
            set -- \${line##*) }; name=\${line%)*}; name=\${name#*(}
            [ "$2" = "$s" ] && case $name in cat|busybox) c="$c \${f#/proc/}";; esac
            case $(tr '\\0' ' ' 2>/dev/null <"$f/cmdline") in tail*" -f "*"/$OF/"[oe][ur]*) t="$t \${f#/proc/}";; esac
          done
          [ -z "${parts}" ] || kill -s KILL ${parts}; echo done`;
        expect((await shell(script, { env: { OF: of } })).stdout.toString()).toBe('done\n');
      };
      /** In the machine: its numbers of processes may be others than those of the one who looks at it. */
      const killMarked = (word: string) =>
        shell(
          `for f in /proc/[0-9]*; do
            { tr '\\0' '\\n' <"$f/environ"; } 2>/dev/null | grep -qx "WORD=$OF" && kill -s KILL "\${f#/proc/}"
          done; echo`,
          { env: { OF: word } },
        );
      const attached = (id: string) => ended((from) => box.executions.attach(id, from, call()));
      const waits = 'until [ -e "$FLAG" ]; do sleep 0.1; done';
      const flag = (name: string) => ({ FLAG: `${work}/${name}_${run}` });

      test('a supervisor that is killed: it is lost, and no success', async () => {
        const word = `orphan_${run}`;
        const { spec } = await until({ command: { shell: 'echo go; sleep 300' }, env: { WORD: word } }, 'go');
        await kill(spec.id, '$s');
        const { stdout, result } = await attached(spec.id);
        expect(stdout.toString()).toBe('go\n');
        expect(result).toMatchObject({ reason: 'lost', exitCode: null, bytes: { stdout: 3 } });
        expect(result.message).toContain('killed');
        await killMarked(word);
        await gone(word);
      });

      test('a supervisor that is killed after its last word has said it', async () => {
        const word = `last_${run}`;
        const spec = specOf({ command: { shell: 'echo go; sleep 300' }, env: { WORD: word } });
        const following = ended((from) => box.executions.run(spec, from, call()));
        await waitFor(async () =>
          (await throughBreaks(() => box.executions.list(call()))).some(
            ({ id, bytes }) => id === spec.id && bytes.stdout === 3,
          ),
        );
        await shell('echo "exited 0 3 0 0 -" >"$(dirname "$0")/../$OF/exit"', { env: { OF: spec.id } });
        await kill(spec.id, '$s');
        const { stdout, result } = await following;
        expect(stdout.toString()).toBe('go\n');
        expect(result).toMatchObject({ reason: 'exited', exitCode: 0 });
        await killMarked(word);
        await gone(word);
      });

      test('what takes down its output is killed: it is lost, though it did not notice', async () => {
        const env = flag('copier');
        const script = `trap '' PIPE; echo go; ${waits}; echo end 2>/dev/null; exit 0`;
        const { spec } = await until({ command: { shell: script }, env }, 'go');
        await kill(spec.id, '$c');
        await shell('touch "$FLAG"', { env });
        const { stdout, result } = await attached(spec.id);
        expect(stdout.toString()).toBe('go\n');
        expect(result).toMatchObject({ reason: 'lost', exitCode: null });
      });

      test('a keeper that is killed: time is kept, a cancel ends the tree, input has an end', async () => {
        const word = `keeper_${run}`;
        const env = { WORD: word };
        const stubborn = { shell: 'trap "" TERM; echo go; sleep 300; sleep 300' };
        const late = await until({ command: stubborn, timeoutMs: 4_000, graceMs: 300, env }, 'go');
        await kill(late.spec.id, '$k');
        expect((await attached(late.spec.id)).result).toMatchObject({ reason: 'timeout', leftover: 0 });
        const stopped = await until({ command: stubborn, env }, 'go');
        await kill(stopped.spec.id, '$k');
        const how = { graceMs: 300, signal: 'SIGTERM' } as const;
        const result = await throughBreaks(() => box.executions.cancel(stopped.spec.id, how, call()));
        expect(result).toMatchObject({ reason: 'cancelled', leftover: 0 });
        await gone(word);
        const fed = await until({ command: { shell: 'echo go; cat' }, stdin: 'open' }, 'go');
        await kill(fed.spec.id, '$k');
        await throughBreaks(() => box.executions.write(fed.spec.id, 0, Buffer.from('in'), call()));
        await throughBreaks(() => box.executions.endInput(fed.spec.id, 2, call()));
        const after = await attached(fed.spec.id);
        expect(after.stdout.toString()).toBe('go\nin');
        expect(after.result).toMatchObject({ reason: 'exited', exitCode: 0 });
      });

      test('what follows it is killed: it breaks, and says no end before all has come', async () => {
        const env = flag('tails');
        const spec = specOf({ command: { shell: `echo go; ${waits}; echo end; echo END >&2` }, env });
        const at = { stdout: 0, stderr: 0 };
        const text = { stdout: '', stderr: '' };
        const follow = async (): Promise<Result> => {
          for (;;)
            try {
              for await (const event of box.executions.run(spec, { ...at }, call())) {
                if (event.type === 'end') return event.result;
                if (event.type === 'started') continue;
                at[event.type] += event.data.length;
                text[event.type] += Buffer.from(event.data).toString();
              }
            } catch (error) {
              if ((error as { code?: string }).code !== 'connection_lost') throw error;
            }
        };
        const following = follow();
        await waitFor(async () => text.stdout === 'go\n');
        await kill(spec.id, '$t');
        await shell('touch "$FLAG"', { env });
        expect(await following).toMatchObject({ reason: 'exited', exitCode: 0 });
        expect(text).toEqual({ stdout: 'go\nend\n', stderr: 'END\n' });
      });

      test('one that nobody knows is not found; one that runs is not forgotten; forgotten ones leave nothing', async () => {
        const next = (id: string) =>
          throughBreaks(() => box.executions.attach(id, FROM, call())[Symbol.asyncIterator]().next());
        await expect(next(id())).rejects.toMatchObject({ code: 'execution_not_found' });
        const word = `forget_${run}`;
        const { spec } = await until(
          { command: { shell: 'echo go; sleep 300' }, stdin: 'open', env: { WORD: word } },
          'go',
        );
        await expect(throughBreaks(() => box.executions.forget(spec.id, call()))).rejects.toMatchObject({
          code: 'execution_running',
        });
        await throughBreaks(() => box.executions.cancel(spec.id, { graceMs: 0, signal: 'SIGKILL' }, call()));
        const listed = await throughBreaks(() => box.executions.list(call()));
        expect(listed.find((one) => one.id === spec.id)).toMatchObject({
          result: { reason: 'cancelled' },
          bytes: { stdout: 3 },
        });
        await Promise.all(listed.map((one) => throughBreaks(() => box.executions.forget(one.id, call()))));
        expect(await throughBreaks(() => box.executions.list(call()))).toEqual([]);
        await expect(next(spec.id)).rejects.toMatchObject({ code: 'execution_not_found' });
        // Nothing serves any of them either.
        await gone(`HANGAR_SERVES=x_${run}`);
        // What another test gave up in the middle may still come, and is taken away a moment later.
        await waitFor(async () => {
          for (const late of await throughBreaks(() => box.executions.list(call())))
            await throughBreaks(() => box.executions.forget(late.id, call()));
          const { id: own, stdout } = await runs({ command: { shell: 'ls -a "$(dirname "$0")/.."' } });
          const left = stdout.toString().trim().split('\n').slice(2);
          await throughBreaks(() => box.executions.forget(own, call()));
          return left.length === 1 && left[0] === own;
        });
      });

      test('a terminal, that is attached again', async (context) => {
        const { terminal } = await throughBreaks(() => box.platform(call()));
        context.skip(terminal !== 'supervised', `terminals are ${terminal} here`);
        const size = { columns: 91, rows: 33 };
        const spec = specOf({ command: ['sh'], env: { PS1: '> ' }, terminal: size });
        await until(spec, '> ');
        let at = 0;
        const type = async (text: string) => {
          at = await throughBreaks(() => box.executions.write(spec.id, at, Buffer.from(text), call()));
        };
        await type('stty size; tty; echo $((6*7)) $TERM\n');
        await until(spec, '42 xterm-256color');
        await throughBreaks(() => box.executions.resize(spec.id, { columns: 100, rows: 40 }, call()));
        const again = openSandbox(await bed.reopened());
        // Ctrl-C reaches what runs in it.
        await type('stty size; sleep 300\n');
        await waitFor(async () => (await shownOf(again, spec.id)).includes('40 100'));
        await sleep(500);
        await type('\x03');
        await type('echo still $((1+1)); exit 9\n');
        const { stdout, stderr, result } = await ended((from) => again.executions.attach(spec.id, from, call()));
        expect(stdout.toString()).toMatch(/33 91\r\n\/dev\/\S+\r\n42 xterm-256color[\s\S]*40 100[\s\S]*still 2/);
        expect(stderr.length).toBe(0);
        expect(result).toMatchObject({ reason: 'exited', exitCode: 9 });
      });

      /** Types as one writer, each byte once, over breaks. */
      function typist(id: string, writer: string, on: Sandbox = box) {
        let channel: InputChannel | null = null;
        let at = 0;
        return async (text: string): Promise<void> => {
          const bytes = Buffer.from(text, 'latin1');
          const begin = at;
          await throughBreaks(async () => {
            try {
              channel ??= await on.executions.input(id, writer, call());
              at = Math.max(at, channel.taken);
              if (at < begin + bytes.length) at = await channel.write(bytes.subarray(at - begin));
            } catch (error) {
              channel = null;
              throw error;
            }
          });
          expect(at).toBe(begin + bytes.length);
        };
      }

      test('a shell that is typed into', async (context) => {
        const { terminal } = await throughBreaks(() => box.platform(call()));
        context.skip(terminal !== 'supervised', `terminals are ${terminal} here`);
        const spec = specOf({ command: ['sh'], env: { PS1: '> ' }, terminal: { columns: 91, rows: 33 } });
        await until(spec, '> ');
        const type = typist(spec.id, `keys${run}`);
        for (const key of 'echo $((6*7))\n') await type(key);
        await until(spec, '42\r\n');
        // Ctrl-C reaches what runs in it. What is echoed of a command is not what it prints.
        await type('sh -c \'echo be""gun; exec sleep 300\'\n');
        await until(spec, 'begun\r\n');
        await type('\x03');
        await type('echo st""ill $((1+1))\n');
        await until(spec, 'still 2\r\n');
        await throughBreaks(() => box.executions.resize(spec.id, { columns: 100, rows: 40 }, call()));
        const again = openSandbox(await bed.reopened());
        const seen = await throughBreaks(() => again.executions.input(spec.id, `other${run}`, call()));
        seen.close();
        expect(seen).toMatchObject({ taken: 0, size: { columns: 100, rows: 40 } });
        await type('trap \'echo re""drawn $(stty size)\' WINCH; echo s""et\n');
        await until(spec, 'set\r\n');
        await throughBreaks(() => again.executions.redraw(spec.id, call()));
        // A shell runs a trap when it has read a line.
        await type('stty size\n');
        const typeAgain = typist(spec.id, `other${run}`, again);
        // Attached from where it was, by another server: only what comes then.
        const size = { stdout: seen.printed, stderr: 0 };
        await typeAgain('echo $((70+7)); exit 5\n');
        const { stdout, result } = await ended((from) => again.executions.attach(spec.id, from, call()), size);
        expect(stdout.toString()).toMatch(/redrawn \d+ 100[\s\S]*40 100[\s\S]*77\r\n/);
        expect(stdout.toString()).not.toContain('still');
        expect(result).toMatchObject({ reason: 'exited', exitCode: 5 });
        await expect(typist(spec.id, `late${run}`, again)('x')).rejects.toMatchObject({ code: 'execution_ended' });
      });

      test('Ctrl-D is the end of input for what reads a terminal', async (context) => {
        const { terminal } = await throughBreaks(() => box.platform(call()));
        context.skip(terminal !== 'supervised', `terminals are ${terminal} here`);
        const { spec } = await until(
          { command: { shell: 'echo ready; cat; echo over; exit 3' }, terminal: { columns: 80, rows: 24 } },
          'ready',
        );
        const type = typist(spec.id, `keys${run}`);
        await type('a line\n');
        await type('\x04');
        const { stdout, result } = await ended((from) => box.executions.attach(spec.id, from, call()));
        expect(stdout.toString()).toMatch(/ready\r\na line\r\na line\r\nover\r\n/);
        expect(result).toMatchObject({ reason: 'exited', exitCode: 3 });
      });

      test('two who type at once: nothing is lost, and what came together stays together', async () => {
        const { spec } = await until({ command: { shell: 'echo ready; cat' }, stdin: 'open' }, 'ready');
        const typed = (who: string) =>
          Array.from({ length: 12 }, (_, n) => `${who}${n}:${who.repeat(1 + ((n * 977) % 6000))}\n`);
        await Promise.all(
          ['a', 'b'].map(async (who) => {
            const type = typist(spec.id, `${who.repeat(4)}${run}`);
            for (const piece of typed(who)) await type(piece);
          }),
        );
        // Who comes back knows how much is in, also while the channel before is still there: nothing is typed twice.
        const writer = `cccc${run}`;
        const one = await throughBreaks(() => box.executions.input(spec.id, writer, call()));
        if (!o.breaks) {
          await one.write(Buffer.from('c0\n'));
          const two = await box.executions.input(spec.id, writer, call());
          expect(two.taken).toBe(3);
          expect(await Promise.all([one.write(Buffer.from('c1\n')), one.write(Buffer.from('c2\n'))])).toEqual([6, 9]);
          expect(await two.write(Buffer.from('c1\nc2\nc3\n'))).toBe(12);
          two.close();
        }
        one.close();
        const lines = [...typed('a'), ...typed('b'), ...(o.breaks ? [] : ['c0\n', 'c1\n', 'c2\n', 'c3\n'])];
        const total = lines.join('').length;
        await throughBreaks(() => box.executions.endInput(spec.id, total, call()));
        const { stdout } = await ended((from) => box.executions.attach(spec.id, from, call()));
        const came = stdout.toString().split(/(?<=\n)/);
        for (const who of ['a', 'b']) expect(came.filter((line) => line.startsWith(who))).toEqual(typed(who));
        expect(came.slice(1).toSorted()).toEqual(lines.toSorted());
      });

      async function shownOf(from: Sandbox, id: string): Promise<string> {
        const one = (await throughBreaks(() => from.executions.list(call()))).find((one) => one.id === id);
        let text = '';
        if (one === undefined || one.bytes.stdout === 0) return text;
        await throughBreaks(async () => {
          for await (const event of from.executions.attach(id, { stdout: text.length, stderr: 0 }, call())) {
            if (event.type === 'stdout') text += Buffer.from(event.data).toString('latin1');
            if (text.length >= one.bytes.stdout) return;
          }
        });
        return text;
      }
    });

    const textOf = (path: string) =>
      throughBreaks(async () => (await buffer(await box.files.read(path, call()))).toString('latin1'));

    describe('files', () => {
      test('are written, read, told and removed', async () => {
        const bytes = randomBytes(70_000);
        const path = `${work}/a file`;
        expect(await throughBreaks(() => box.files.stat(path, call()))).toBeNull();
        expect(await throughBreaks(() => box.files.stat(`${work}/a file/below`, call()))).toBeNull();
        await throughBreaks(() => box.files.write(path, bytes, { ...call(), mode: 0o640 }));
        const stat = await throughBreaks(() => box.files.stat(path, call()));
        expect(stat).toMatchObject({ path, type: 'file', size: 70_000, mode: 0o640, target: null });
        expect(Math.abs((stat?.modifiedAt.getTime() ?? 0) - Date.now())).toBeLessThan(MINUTE);
        const read = (part: { offset?: number; length?: number }) =>
          throughBreaks(async () => buffer(await box.files.read(path, { ...call(), ...part })));
        expect((await read({})).equals(bytes)).toBe(true);
        expect((await read({ offset: 65_000 })).equals(bytes.subarray(65_000))).toBe(true);
        expect((await read({ offset: 3, length: 66_000 })).equals(bytes.subarray(3, 66_003))).toBe(true);
        expect((await read({ offset: 80_000, length: 10 })).length).toBe(0);
        // What replaces it keeps its mode.
        await throughBreaks(() => box.files.write(path, Readable.from([Buffer.from('short')]), call()));
        expect(await throughBreaks(() => box.files.stat(path, call()))).toMatchObject({ size: 5, mode: 0o640 });
        await throughBreaks(async () => {
          // After a break it may have been done.
          if ((await box.files.stat(path, call())) !== null) await box.files.rename(path, `${work}/b`, call());
        });
        expect(await textOf(`${work}/b`)).toBe('short');
        await throughBreaks(() => box.files.remove(`${work}/b`, call()));
        await throughBreaks(() => box.files.remove(`${work}/b`, call()));
        await expect(textOf(`${work}/b`)).rejects.toMatchObject({ code: 'file_not_found' });
      });

      test('one of many megabytes goes there and back', async () => {
        const block = randomBytes(1024 * 1024);
        const body = () =>
          Readable.from(
            Array.from({ length: 6 }, () => block),
            { objectMode: false },
          );
        await throughBreaks(() => box.files.write(`${work}/long`, body(), call()));
        const back = await throughBreaks(async () => buffer(await box.files.read(`${work}/long`, call())));
        expect(back.length).toBe(6 * block.length);
        expect(back.subarray(5 * block.length).equals(block)).toBe(true);
        const broken = Readable.from(
          (async function* () {
            yield block;
            yield block;
            throw new Error('the sender failed');
          })(),
        );
        await expect(box.files.write(`${work}/long`, broken, call())).rejects.toThrow(/sender failed|connection/);
        expect((await throughBreaks(() => box.files.stat(`${work}/long`, call())))?.size).toBe(6 * block.length);
      });

      test('names may be any bytes, links are told and written through, folders are listed', async () => {
        const odd = [
          'line\nbreak',
          decodePath(Buffer.from([0x63, 0xe9, 0x74])),
          'é 😀',
          'quote\'"\\0101',
          '-dash',
          ' ',
        ];
        const folder = `${work}/names`;
        await throughBreaks(() => box.files.mkdir(`${folder}/deep/er`, call()));
        for (const name of odd)
          await throughBreaks(() => box.files.write(`${folder}/${name}`, Buffer.from(name), call()));
        await shell(`cd '${folder}' && ln -s deep/er link && ln -s 'line\nbreak' other && mkfifo pipe`);
        const list = async (depth?: number) =>
          throughBreaks(async () => {
            const found = new Map<string, string>();
            for await (const one of box.files.list(folder, { ...call(), ...(depth === undefined ? {} : { depth }) }))
              found.set(one.path, `${one.type}${one.target === null ? '' : ` ${one.target}`}`);
            return found;
          });
        const flat = await list();
        expect([...flat].filter(([name]) => !odd.includes(name)).sort()).toEqual([
          ['deep', 'folder'],
          ['link', 'link deep/er'],
          ['other', 'link line\nbreak'],
          ['pipe', 'other'],
        ]);
        for (const name of odd) expect(flat.get(name)).toBe('file');
        expect((await list(2)).get('deep/er')).toBe('folder');
        for (const name of odd)
          expect(
            await throughBreaks(async () => (await buffer(await box.files.read(`${folder}/${name}`, call()))).length),
          ).toBe(Buffer.from(name).length);
        expect(await throughBreaks(() => box.files.stat(`${folder}/link`, call()))).toMatchObject({
          type: 'link',
          target: 'deep/er',
        });
        await throughBreaks(() => box.files.write(`${folder}/other`, Buffer.from('through'), call()));
        expect(await textOf(`${folder}/line\nbreak`)).toBe('through');
      });

      test('what cannot be is refused with its reason', async () => {
        const files = box.files;
        const refused = (work: () => Promise<unknown>, code: string) =>
          expect(throughBreaks(work)).rejects.toMatchObject({ code });
        await throughBreaks(() => files.mkdir(`${work}/full`, call()));
        await throughBreaks(() => files.write(`${work}/full/file`, Buffer.from('x'), call()));
        await refused(() => files.write(`${work}/none/file`, Buffer.from('x'), call()), 'file_not_found');
        await refused(() => files.write(`${work}/full`, Buffer.from('x'), call()), 'path_in_the_way');
        await refused(() => files.read(`${work}/full`, call()), 'path_in_the_way');
        await refused(() => files.remove(`${work}/full`, call()), 'path_in_the_way');
        await refused(() => files.mkdir(`${work}/full/file`, call()), 'path_in_the_way');
        await refused(() => files.rename(`${work}/none`, `${work}/other`, call()), 'file_not_found');
        await refused(() => files.rename(`${work}/full/file`, `${work}/full`, call()), 'path_in_the_way');
        await refused(() => files.stat('relative', call()), 'validation_failed');
        await refused(() => files.remove('/', { ...call(), recursive: true }), 'validation_failed');
        await refused(async () => buffer(await files.download(`${work}/none`, call())), 'file_not_found');
        await throughBreaks(() => files.remove(`${work}/full`, { ...call(), recursive: true }));
        expect(await throughBreaks(() => files.stat(`${work}/full`, call()))).toBeNull();
      });

      test('a full disk is said to be full', async (context) => {
        context.skip(bed.smallFolder === undefined, 'there is no small file system here');
        const small = bed.smallFolder ?? '';
        const much = () =>
          Readable.from(
            Array.from({ length: 80 }, () => Buffer.alloc(1024 * 1024, 1)),
            { objectMode: false },
          );
        await expect(throughBreaks(() => box.files.write(`${small}/much`, much(), call()))).rejects.toMatchObject({
          code: 'disk_full',
        });
        expect(await throughBreaks(() => box.files.stat(`${small}/much`, call()))).toBeNull();
        const listed = await throughBreaks(async () => {
          const names: string[] = [];
          for await (const one of box.files.list(small, call())) names.push(one.path);
          return names;
        });
        expect(listed.filter((name) => name.startsWith('.hangar'))).toEqual([]);
      });

      test('1,000 files go there and back by digest', async () => {
        const files = new Map(
          Array.from({ length: 1000 }, (_, n) => [`d${n % 30}/f${n}`, randomBytes(n % 10 === 0 ? 20_000 : 200)]),
        );
        const tar = () => {
          const packing = pack();
          packing.entry({ name: 'empty/', type: 'directory', mode: 0o755 });
          for (const [name, body] of files) packing.entry({ name, mode: 0o644 }, body);
          packing.entry({ name: 'run.sh', mode: 0o755 }, '#!/bin/sh\n');
          packing.entry({ name: 'link', type: 'symlink', linkname: 'd1/f1' });
          packing.entry({ name: 'out', type: 'symlink', linkname: '/etc' });
          packing.finalize();
          return Readable.from(packing, { objectMode: false });
        };
        await throughBreaks(() => box.files.upload(`${work}/many`, tar(), call()));
        expect(await throughBreaks(() => box.files.stat(`${work}/many/run.sh`, call()))).toMatchObject({ mode: 0o755 });
        const back = await throughBreaks(async () => entriesOf(await box.files.download(`${work}/many`, call())));
        expect(back.get('link')).toBe('symlink d1/f1');
        expect(back.get('out')).toBe('symlink /etc');
        expect(back.has('empty')).toBe(true);
        for (const [name, body] of files) expect(back.get(name)).toBe(digestOf(body));
        const some = await throughBreaks(async () =>
          entriesOf(await box.files.download(`${work}/many`, { ...call(), paths: ['d3', 'run.sh'] })),
        );
        expect(some.get('d3/f3')).toBe(digestOf(files.get('d3/f3') ?? Buffer.alloc(0)));
        expect([...some.keys()].every((name) => name === 'run.sh' || name.startsWith('d3'))).toBe(true);
      });

      test.each([
        ['climbs', [{ name: '../escaped', body: 'x' }]],
        ['is absolute', [{ name: '/tmp/escaped', body: 'x' }]],
        [
          'goes through its own link',
          [
            { name: 'l', to: '/tmp' },
            { name: 'l/escaped', body: 'x' },
          ],
        ],
        ['is no archive', null],
      ] as const)('an archive that %s is refused', async (_name, entries) => {
        const packing = pack();
        packing.entry({ name: 'fine' }, 'fine');
        for (const entry of entries ?? [])
          if ('to' in entry) packing.entry({ name: entry.name, type: 'symlink', linkname: entry.to });
          else packing.entry({ name: entry.name }, entry.body);
        packing.finalize();
        const bytes = entries === null ? Buffer.alloc(5000, 'no tar ') : await buffer(Readable.from(packing));
        const upload = () => box.files.upload(`${work}/escape`, Readable.from([bytes], { objectMode: false }), call());
        const code = entries === null ? 'tar_invalid' : 'tar_refused';
        await expect(throughBreaks(upload)).rejects.toMatchObject({ code });
        expect(await throughBreaks(() => box.files.stat(`${work}/escaped`, call()))).toBeNull();
        expect(await throughBreaks(() => box.files.stat('/tmp/escaped', call()))).toBeNull();
      });
    });

    test('platform and load can be true', async () => {
      const platform = await throughBreaks(() => box.platform(call()));
      expect(platform).toMatchObject({ os: 'Linux', tools: { sh: expect.any(String), setsid: expect.any(String) } });
      expect(platform.home).toMatch(/^\//);
      expect(Math.abs(platform.clockSkewMs)).toBeLessThan(MINUTE);
      await throughBreaks(() => box.load(call()));
      await shell('i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done');
      const load = await throughBreaks(() => box.load(call()));
      if (load.cpus !== null) expect(load.cpus).toBeGreaterThanOrEqual(0);
      if (load.cpusMost !== null) expect(load.cpusMost).toBeGreaterThan(0);
      for (const [used, most] of [
        [load.memoryBytes, load.memoryMost],
        [load.diskBytes, load.diskMost],
      ]) {
        if (used === null || used === undefined) continue;
        expect(used).toBeGreaterThan(0);
        if (most !== null && most !== undefined) expect(used).toBeLessThanOrEqual(most);
      }
      expect(load.memoryMost === null || load.memoryMost > 16 * 1024 * 1024).toBe(true);
    });

    // The last: there is no machine after it.
    test('a machine that is destroyed: its execution is lost, and it says that it is gone', async () => {
      const { spec, stdout } = await until({ command: { shell: 'echo go; sleep 300' } }, 'go');
      const told = ended((from) => box.executions.attach(spec.id, from, call()), {
        stdout: stdout.length,
        stderr: 0,
      }).then(
        ({ result }) => result.reason,
        (error: { code?: string }) => error.code,
      );
      await sleep(300);
      await bed.destroy();
      expect(['lost', 'sandbox_gone', 'connection_lost']).toContain(await told);
      const again = await ended((from) => box.executions.attach(spec.id, from, call())).then(
        ({ result }) => result.reason,
        (error: { code?: string }) => error.code,
      );
      expect(['lost', 'sandbox_gone']).toContain(again);
    });
  });
}

const digestOf = (body: Buffer): string => createHash('sha256').update(body).digest('hex');

async function entriesOf(tar: Readable): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const reading = extract();
  reading.end(await buffer(tar));
  for await (const entry of reading) {
    const { name, type, linkname } = entry.header;
    const body = await buffer(Readable.from(entry));
    const plain = name.replace(/^\.\//, '').replace(/\/$/, '');
    found.set(plain, type === 'symlink' ? `symlink ${linkname}` : type === 'directory' ? 'folder' : digestOf(body));
  }
  return found;
}

async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}
