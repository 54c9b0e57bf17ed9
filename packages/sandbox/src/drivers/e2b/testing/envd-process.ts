import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { RpcError, type Send } from './connect-protocol.ts';
import { type EnvdProcess, type FakeSandbox, homeOf } from './sandbox.ts';

/** How long a process's end is told to who asks late. */
const KEPT_MS = 30_000;

const Size = z.strictObject({ cols: z.int().default(0), rows: z.int().default(0) });
export const Pty = z.strictObject({ size: Size });
const Config = z.strictObject({
  cmd: z.string(),
  args: z.array(z.string()).default([]),
  envs: z.record(z.string(), z.string()).default({}),
  cwd: z.string().optional(),
});
export const StartRequest = z.strictObject({
  process: Config,
  pty: Pty.optional(),
  tag: z.string().optional(),
  stdin: z.boolean().optional(),
});
export type StartRequest = z.infer<typeof StartRequest>;

const SIGNAL_WORDS: Readonly<Record<string, string>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGKILL: 'killed',
  SIGTERM: 'terminated',
  SIGSEGV: 'segmentation fault',
  SIGABRT: 'aborted',
  SIGPIPE: 'broken pipe',
};

/** @throws RpcError invalid_argument when it cannot be started */
export async function startProcess(
  sandbox: FakeSandbox,
  request: StartRequest,
  o: { account: string; timeoutMs: number },
): Promise<EnvdProcess> {
  const { process: config, pty } = request;
  const home = homeOf(sandbox, o.account);
  const cwd = path.resolve(home, config.cwd?.replace(/^~(?=\/|$)/, home) || home);
  if (!existsSync(cwd)) throw new RpcError('invalid_argument', `cwd '${cwd}' does not exist`);
  if (!statSync(cwd).isDirectory()) throw new RpcError('invalid_argument', `fork/exec: ${cwd}: not a directory`);
  const env = {
    ...{ PATH: process.env.PATH, HOME: home, USER: o.account, LOGNAME: o.account },
    ...{ E2B_SANDBOX: 'true', ...sandbox.envs, ...config.envs, E2B_SANDBOX_ID: sandbox.id },
  };
  const stdin = request.stdin !== false;
  const child = pty
    ? spawnTerminal(config.cmd, config.args, cwd, env, pty.size)
    : // envd makes no group of its own for what it starts, nor does this.
      spawn(config.cmd, config.args, { cwd, env, stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  await once(child, 'spawn').catch((error: Error) => {
    throw new RpcError('invalid_argument', `error starting process '${config.cmd}': ${error.message}`);
  });
  const { pid } = child;
  if (pid === undefined) throw new RpcError('invalid_argument', `error starting process '${config.cmd}'`);
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);

  const followers = new Set<Send>();
  // Nothing is read before the caller of Start listens: it misses nothing, who comes later may.
  const listened = Promise.withResolvers<void>();
  let signalled: string | null = null;
  const pump = async (from: Readable | null, key: 'stdout' | 'stderr' | 'pty') => {
    await listened.promise;
    try {
      for await (const chunk of from ?? []) {
        const data = { [key]: (chunk as Buffer).toString('base64') };
        await Promise.all([...followers].map((send) => send({ event: { data } })));
      }
    } catch {
      // Cut by a signal.
    }
  };
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  exited.then(() => {
    if (signalled === null) return;
    child.stdout?.destroy();
    child.stderr?.destroy();
  });
  const limit = o.timeoutMs > 0 ? setTimeout(() => one.signal('SIGKILL'), o.timeoutMs) : undefined;
  const printed = Promise.all([pump(child.stdout, pty ? 'pty' : 'stdout'), pump(child.stderr, pty ? 'pty' : 'stderr')]);
  // A process whose output somebody else still holds has not ended for envd.
  const ended = Promise.all([exited, printed]).then(([[code, signal]]) => {
    clearTimeout(limit);
    const by = signal ?? (pty ? signalled : null);
    const status = by ? `signal: ${SIGNAL_WORDS[by] ?? by}` : `exit status ${code}`;
    // As protobuf's JSON: what is zero is left out.
    const end = {
      ...(by ? { exitCode: -1 } : code === 0 ? {} : { exitCode: code }),
      ...(by ? {} : { exited: true }),
      ...(by || code !== 0 ? { error: status } : {}),
      status,
    };
    sandbox.ended.set(pid, end);
    setTimeout(() => sandbox.ended.delete(pid), KEPT_MS).unref();
    if (sandbox.processes.get(pid) === one) sandbox.processes.delete(pid);
    return end;
  });

  const one: EnvdProcess = {
    ...{ pid, config, tag: request.tag },
    async follow(send, gone) {
      followers.add(send);
      gone.then(() => followers.delete(send));
      await send({ event: { start: { pid } } });
      listened.resolve();
      const end = await Promise.race([ended, gone]);
      followers.delete(send);
      if (end) await send({ event: { end } });
    },
    async input(kind, data) {
      if ((kind === 'pty') !== (pty !== undefined)) {
        throw new RpcError('internal', `error writing to ${kind}: tty ${pty ? '' : 'not '}assigned to process`);
      }
      const to = child.stdin;
      if (!to?.writable) throw new RpcError('internal', `error writing to ${kind}: stdin not enabled or closed`);
      await new Promise<void>((resolve, reject) => {
        to.write(data, (error) =>
          error
            ? reject(new RpcError('internal', `error writing to stdin of process '${pid}': ${error.message}`))
            : resolve(),
        );
      });
    },
    closeStdin() {
      if (pty) throw new RpcError('unknown', 'error closing stdin: cannot close stdin for PTY process');
      child.stdin?.end();
    },
    signal(signal) {
      signalled = signal;
      const target = pty ? insideOf(child) : pid;
      try {
        process.kill(target, signal);
      } catch (error) {
        throw new RpcError('internal', `error sending signal: ${error instanceof Error ? error.message : error}`);
      }
    },
    async resize(size) {
      if (!pty) throw new RpcError('internal', 'error resizing tty: tty not assigned to process');
      const device = readFileSync(`/proc/${insideOf(child)}/stat`, 'utf8')
        .split(') ')[1]
        ?.split(' ')[4];
      const minor = (Number(device) & 0xff) | ((Number(device) >>> 12) & 0xfff00);
      const set = spawn('stty', ['-F', `/dev/pts/${minor}`, 'cols', String(size.cols), 'rows', String(size.rows)]);
      const [code] = await once(set, 'exit');
      if (code !== 0) throw new RpcError('internal', 'error resizing tty');
    },
  };
  sandbox.ended.delete(pid);
  sandbox.processes.set(pid, one);
  if (pty) await appears(() => insideOf(child) !== pid);
  return one;
}

/** `script` makes the terminal: its only child is what was asked for. */
function spawnTerminal(
  cmd: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  size: z.infer<typeof Size>,
): ChildProcess {
  const words = [cmd, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const line = `stty cols ${size.cols} rows ${size.rows}; exec ${words}`;
  return spawn('script', ['-qfec', line, '/dev/null'], { cwd, env: { ...env, SHELL: '/bin/sh' }, stdio: 'pipe' });
}

function insideOf(child: ChildProcess): number {
  const pid = child.pid ?? 0;
  try {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
    return Number(first) || pid;
  } catch {
    return pid;
  }
}

async function appears(is: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !is(); tries += 1) await sleep(5);
}
