import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Answer, refuse } from './answers.ts';
import { endTree } from './processes.ts';
import type { Socket } from './websocket.ts';

const FRAME_BYTES = 1024;
const LOOK_MS = 10;
const run = promisify(execFile);

interface Command {
  readonly id: string;
  readonly command: string;
  readonly folder: string;
}

interface Session {
  readonly shell: ChildProcess;
  readonly commands: Map<string, Command>;
  readonly followers: Set<Socket>;
  isEnding: boolean;
}

export interface SessionFaults {
  /** Size of the frames of a log, for the SDK's reader that fails on large ones. */
  frameBytes: number | null;
  /** Cuts the followers of logs after so many bytes. */
  cutLogsAfter: number | null;
  /** Followers hear nothing, though their connection stands. */
  silentLogs: boolean;
}

export interface Sessions {
  create(body: unknown): Promise<Answer>;
  list(): Promise<Answer>;
  get(id: string): Promise<Answer>;
  remove(id: string): Promise<Answer>;
  execute(id: string, body: unknown): Promise<Answer>;
  command(id: string, command: string): Promise<Answer>;
  input(id: string, command: string, body: unknown): Promise<Answer>;
  logs(id: string, command: string): Promise<Answer>;
  /** Null: it may be followed. */
  canFollow(id: string, command: string): Answer | null;
  follow(id: string, command: string, socket: Socket): Promise<void>;
  dispose(): void;
}

/** Puts a mark before each line: what the shell reads as lines has no NULs and always ends with a newline. */
const LABEL = `label() { while IFS= read -r text || [ -n "$text" ]; do printf "$1%s\\n" "$text"; done; }\n`;

/** One shell that reads its commands from its input, so that each waits for the one before it. */
export function createSessions(o: {
  folder: string;
  store: string;
  env: Record<string, string>;
  graceMs: number;
  faults: SessionFaults;
}): Sessions {
  const sessions = new Map<string, Session>();

  const known = (id: string): Session | null => sessions.get(id) ?? null;
  const noSession = () => refuse(404, 'session not found', 'PROCESS_NOT_FOUND');
  const noCommand = () => refuse(404, 'command not found', 'PROCESS_NOT_FOUND');

  async function exitCode({ folder }: Command): Promise<number | undefined> {
    const text = await readFile(path.join(folder, 'code'), 'utf8').catch(() => null);
    return text === null || text === '' ? undefined : Number(text);
  }
  async function shown(command: Command) {
    const code = await exitCode(command);
    return { id: command.id, command: command.command, ...(code === undefined ? {} : { exitCode: code }) };
  }
  const all = async (id: string, session: Session) => ({
    sessionId: id,
    commands: await Promise.all([...session.commands.values()].map(shown)),
  });

  return {
    async create(body) {
      const id = field(body, 'sessionId');
      if (id === null || id === '') return refuse(400, 'invalid request body: sessionId is required');
      if (sessions.has(id)) return refuse(409, 'session already exists');
      const shell = spawn('bash', [], {
        ...{ cwd: o.folder, env: o.env, detached: true },
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      shell.on('error', () => {});
      shell.stdin?.on('error', () => {});
      shell.stdin?.write(LABEL);
      sessions.set(id, { shell, commands: new Map(), followers: new Set(), isEnding: false });
      return { status: 201 };
    },

    async list() {
      return { status: 200, body: await Promise.all([...sessions].map(([id, session]) => all(id, session))) };
    },

    async get(id) {
      const session = known(id);
      return session === null ? noSession() : { status: 200, body: await all(id, session) };
    },

    async remove(id) {
      const session = known(id);
      if (session === null) return noSession();
      if (!session.isEnding && session.shell.pid !== undefined) {
        session.isEnding = true;
        await endTree(session.shell.pid, o.graceMs);
      }
      sessions.delete(id);
      for (const follower of session.followers) follower.close(1000);
      await rm(path.join(o.store, id), { recursive: true, force: true });
      return { status: 204 };
    },

    async execute(id, body) {
      const session = known(id);
      if (session === null) return noSession();
      const text = field(body, 'command');
      if (text === null || text === '') return refuse(400, 'command is required');
      const isAsync = flag(body, 'runAsync') || flag(body, 'async');
      const command = { id: randomUUID(), command: text, folder: path.join(o.store, id, randomUUID()) };
      const at = (name: string) => path.join(command.folder, name);
      await mkdir(command.folder, { recursive: true });
      await writeFile(at('command'), text);
      await writeFile(at('log'), '');
      await run('mkfifo', [at('out'), at('err'), at('in')]);
      session.commands.set(command.id, command);
      // Its input is opened for both ends: it never comes to an end by itself.
      const lines = [
        `label '\\001\\001\\001' <${at('out')} >>${at('log')} & first=$!`,
        `label '\\002\\002\\002' <${at('err')} >>${at('log')} & second=$!`,
        `{ . ${at('command')}; } ${isAsync ? `<>${at('in')}` : '</dev/null'} >${at('out')} 2>${at('err')}`,
        `code=$?; wait $first $second; echo $code >${at('code')}`,
      ];
      session.shell.stdin?.write(`${lines.join('\n')}\n`);
      if (isAsync) return { status: 202, body: { cmdId: command.id } };
      for (;;) {
        const code = await exitCode(command);
        if (!sessions.has(id)) return refuse(410, 'session cancelled', 'SESSION_ENDED');
        if (code === undefined) {
          await sleep(LOOK_MS);
          continue;
        }
        return { status: 200, body: { cmdId: command.id, exitCode: code, ...split(await readFile(at('log'))) } };
      }
    },

    async command(id, commandId) {
      const session = known(id);
      if (session === null) return noSession();
      const command = session.commands.get(commandId);
      return command === undefined ? noCommand() : { status: 200, body: await shown(command) };
    },

    async input(id, commandId, body) {
      const session = known(id);
      if (session === null) return noSession();
      const command = session.commands.get(commandId);
      if (command === undefined) return noCommand();
      const data = field(body, 'data');
      if (data === null) return refuse(400, 'data is required');
      if ((await exitCode(command)) !== undefined) {
        return refuse(410, 'command has already completed', 'COMMAND_ALREADY_COMPLETED');
      }
      const fifo = await open(path.join(command.folder, 'in'), constants.O_RDWR | constants.O_NONBLOCK);
      await fifo.write(data).finally(() => fifo.close());
      return { status: 204 };
    },

    async logs(id, commandId) {
      const session = known(id);
      if (session === null) return noSession();
      const command = session.commands.get(commandId);
      if (command === undefined) return noCommand();
      return { status: 200, body: split(await readFile(path.join(command.folder, 'log'))) };
    },

    canFollow(id, commandId) {
      const session = known(id);
      if (session === null) return noSession();
      return session.commands.has(commandId) ? null : noCommand();
    },

    async follow(id, commandId, socket) {
      const session = known(id);
      const command = session?.commands.get(commandId);
      if (!session || !command) return socket.close(1011);
      session.followers.add(socket);
      let isClosed = false;
      socket.onClose(() => {
        isClosed = true;
        session.followers.delete(socket);
      });
      const file = await open(path.join(command.folder, 'log'), 'r').catch(() => null);
      if (file === null) return socket.close(1011);
      let sent = 0;
      try {
        while (!isClosed) {
          const hasEnded = (await exitCode(command)) !== undefined;
          const buffer = Buffer.alloc(o.faults.frameBytes ?? FRAME_BYTES);
          const bytesRead = o.faults.silentLogs ? 0 : (await file.read(buffer, 0, buffer.length, sent)).bytesRead;
          if (bytesRead > 0) {
            socket.binary(buffer.subarray(0, bytesRead));
            sent += bytesRead;
            if (o.faults.cutLogsAfter !== null && sent >= o.faults.cutLogsAfter) return socket.cut();
            continue;
          }
          if (hasEnded && !o.faults.silentLogs) return socket.close(1000);
          // Frames of that size are made of what has gathered meanwhile.
          await sleep(o.faults.frameBytes === null ? LOOK_MS : 200);
        }
      } finally {
        await file.close();
      }
    },

    dispose() {
      for (const { followers } of sessions.values()) for (const follower of followers) follower.cut();
      sessions.clear();
    },
  };
}

export const field = (body: unknown, name: string): string | null => {
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
  return typeof value === 'string' ? value : null;
};
const flag = (body: unknown, name: string): boolean =>
  typeof body === 'object' && body !== null && Reflect.get(body, name) === true;

/** A log as it is given at once: each stream by itself, and both as they came. */
function split(log: Buffer): { output: string; stdout: string; stderr: string } {
  const parts = log.toString('latin1').split(/(\x01\x01\x01|\x02\x02\x02)/);
  const texts = { output: '', stdout: '', stderr: '' };
  for (let index = 1; index < parts.length; index += 2) {
    const text = parts[index + 1] ?? '';
    texts[parts[index] === '\x01\x01\x01' ? 'stdout' : 'stderr'] += text;
    texts.output += text;
  }
  const utf8 = (text: string) => Buffer.from(text, 'latin1').toString('utf8');
  return { output: utf8(texts.output), stdout: utf8(texts.stdout), stderr: utf8(texts.stderr) };
}
