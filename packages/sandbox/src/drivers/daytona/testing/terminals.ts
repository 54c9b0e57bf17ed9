import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Answer, refuse } from './answers.ts';
import { endTree } from './processes.ts';
import type { Socket } from './websocket.ts';

const run = promisify(execFile);

interface Terminal {
  readonly child: ChildProcess;
  readonly device: string;
  readonly sockets: Set<Socket>;
}

export interface Terminals {
  /** Null: it can be made. */
  canCreate(query: URLSearchParams): Answer | null;
  createConnect(query: URLSearchParams, socket: Socket): Promise<void>;
  info(id: string): Answer;
  resize(id: string, body: unknown): Promise<Answer>;
  remove(id: string): Promise<Answer>;
  dispose(): void;
}

/** Login shells in terminals, by `script` of util-linux: Node has no terminals of its own. */
export function createTerminals(o: { folder: string; store: string; env: Record<string, string> }): Terminals {
  const terminals = new Map<string, Terminal>();
  const cells = (value: unknown): number | null => {
    const number = Number(value);
    return Number.isInteger(number) && number >= 1 && number <= 1000 ? number : null;
  };

  async function device({ device: file }: Terminal): Promise<string | null> {
    for (let round = 0; round < 250; round += 1) {
      const name = (await readFile(file, 'utf8').catch(() => '')).trim();
      if (name.startsWith('/dev/')) return name;
      await sleep(20);
    }
    return null;
  }

  function end(id: string, code: number, reason: string): void {
    const terminal = terminals.get(id);
    if (!terminal) return;
    terminals.delete(id);
    for (const socket of terminal.sockets) {
      socket.text(JSON.stringify({ type: 'control', status: 'exited', exitCode: code, exitReason: reason }));
      socket.close(1000, JSON.stringify({ exitCode: code, exitReason: reason }));
    }
  }

  return {
    canCreate(query) {
      const id = query.get('id') ?? '';
      if (id === '') return refuse(400, 'id is required');
      if (terminals.has(id)) return refuse(409, 'PTY session already exists');
      const fits = cells(query.get('cols')) !== null && cells(query.get('rows')) !== null;
      return fits ? null : refuse(400, 'cols and rows must be between 1 and 1000');
    },

    async createConnect(query, socket) {
      const id = query.get('id') ?? '';
      await mkdir(o.store, { recursive: true });
      const file = path.join(o.store, `${id}.tty`);
      const begin = `tty >'${file}'; stty rows ${cells(query.get('rows'))} cols ${cells(query.get('cols'))}; exec bash -i -l`;
      const child = spawn('script', ['-qefc', begin, '/dev/null'], {
        ...{ cwd: o.folder, env: { ...o.env, TERM: 'xterm-256color', SHELL: '/bin/bash' }, detached: true },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      const terminal: Terminal = { child, device: file, sockets: new Set([socket]) };
      terminals.set(id, terminal);
      socket.onClose(() => terminal.sockets.delete(socket));
      socket.onMessage((bytes) => child.stdin?.write(bytes));
      child.stdin?.on('error', () => {});
      child.on('error', () => end(id, 1, ' (process error)'));
      socket.text(JSON.stringify({ type: 'control', status: 'connected' }));
      child.stdout?.on('data', (bytes: Buffer) => {
        for (const one of terminal.sockets) one.binary(bytes);
      });
      child.on('close', (code) => end(id, code ?? 137, code === 0 ? ' (clean exit)' : ' (non-zero exit)'));
    },

    info(id) {
      if (!terminals.has(id)) return refuse(404, 'PTY session not found', 'PROCESS_NOT_FOUND');
      return { status: 200, body: { id, active: true, cwd: o.folder, envs: {}, lazyStart: false } };
    },

    async resize(id, body) {
      const terminal = terminals.get(id);
      if (!terminal) return refuse(404, 'PTY session not found', 'PROCESS_NOT_FOUND');
      const { cols, rows } = Object(body) as { cols?: unknown; rows?: unknown };
      const [columns, lines] = [cells(cols), cells(rows)];
      if (columns === null || lines === null) return refuse(400, 'cols and rows must be between 1 and 1000');
      const name = await device(terminal);
      if (name === null) return refuse(500, 'PTY resize error');
      await run('stty', ['-F', name, 'rows', String(lines), 'cols', String(columns)]);
      return { status: 200, body: { id, cols: columns, rows: lines, active: true, cwd: o.folder, envs: {} } };
    },

    async remove(id) {
      const terminal = terminals.get(id);
      if (!terminal) return refuse(404, 'PTY session not found', 'PROCESS_NOT_FOUND');
      if (terminal.child.pid !== undefined) await endTree(terminal.child.pid, 0);
      end(id, 137, ' (SIGKILL)');
      return { status: 200, body: { message: 'PTY session deleted' } };
    },

    dispose() {
      for (const { sockets } of terminals.values()) for (const socket of sockets) socket.cut();
      terminals.clear();
    },
  };
}
