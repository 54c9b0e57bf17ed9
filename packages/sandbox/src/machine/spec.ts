import { constants } from 'node:os';
import { HangarError, type MachineCapabilities } from '@hangar/contract';
import { quoted } from './sh.ts';
import { RUN } from './supervise-script.ts';
import { nonce } from './talk.ts';
import type { ExecutionSpec, Result } from './types.ts';

const ID = /^[a-z0-9_]{1,60}$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** What bash does not let anybody set; they are no secrets. */
const READ_ONLY = new Set(['UID', 'EUID', 'PPID', 'SHELLOPTS', 'BASHOPTS', 'BASH_VERSINFO']);
const MOST_SCRIPT = 16 * 1024 * 1024;

export function checkId(id: string): string {
  if (!ID.test(id))
    throw new HangarError('validation_failed', { message: `No id of an execution: ${JSON.stringify(id)}` });
  return id;
}

/** What is sent to the machine for an execution, and is secret: how it begins, and its script. */
export interface Launch {
  readonly run: Buffer;
  readonly script: Buffer;
}

/** @throws HangarError validation_failed, command_too_long */
export function launchOf(spec: ExecutionSpec, capabilities: MachineCapabilities): Launch {
  checkId(spec.id);
  const words = 'shell' in spec.command ? [] : [...spec.command];
  const script = 'shell' in spec.command ? spec.command.shell : '';
  const entries = Object.entries(spec.env);
  const refuse = (field: string, what: string) =>
    new HangarError('validation_failed', { message: what, details: { fields: { [field]: what } } });
  if (!('shell' in spec.command) && (words[0] ?? '') === '') throw refuse('command', 'There is no program to run.');
  if (words[0]?.startsWith('-')) throw refuse('command', 'The name of a program does not begin with a dash.');
  if (spec.cwd !== null && !spec.cwd.startsWith('/')) throw refuse('cwd', 'The folder is no absolute path.');
  for (const [name] of entries)
    if (!NAME.test(name)) throw refuse('env', `No shell can set a variable of this name: ${JSON.stringify(name)}`);
  if ([...words, spec.cwd ?? '', ...entries.map(([, value]) => value)].some((text) => text.includes('\0')))
    throw refuse('command', 'No argument, variable or folder holds a NUL.');
  if (script.length > MOST_SCRIPT) throw refuse('command', 'The script is longer than 16 MiB.');
  for (const word of [...words, ...entries.map(([name, value]) => `${name}=${value}`)])
    if (Buffer.byteLength(word) > capabilities.argumentBytes)
      throw new HangarError('command_too_long', {
        message: `An argument or variable is longer than ${capabilities.argumentBytes} bytes.`,
      });
  const terminal = spec.terminal !== null;
  const env = terminal && spec.env.TERM === undefined ? { TERM: 'xterm-256color', ...spec.env } : spec.env;
  const set = Object.entries(env).filter(([name]) => !READ_ONLY.has(name));
  const prefixed = Object.entries(env).filter(([name]) => READ_ONLY.has(name));
  const program = 'shell' in spec.command ? '"$h_sh" "$h_d/script.$h_k1"' : words.map(quoted).join(' ');
  const exec =
    prefixed.length === 0
      ? `exec ${program}`
      : `exec env ${prefixed.map(([name, value]) => quoted(`${name}=${value}`)).join(' ')} ${program}`;
  const text = typeof spec.stdin === 'string' ? null : spec.stdin.text;
  if (text !== null && terminal) throw refuse('stdin', 'What is typed into a terminal cannot be given before.');
  if (text?.includes('\0')) throw refuse('stdin', 'A text that is read holds no NUL.');
  const end = text === null ? '' : `H_${nonce()}`;
  const lines = [
    RUN,
    ...('shell' in spec.command ? ['h_sh=$(command -v sh)'] : []),
    'h_home=$' + '{HOME:-/}',
    ...set.map(([name, value]) => `export ${name}=${quoted(value)}`),
    spec.cwd === null
      ? 'cd "$h_home" 2>/dev/null || cd /'
      : `cd ${quoted(spec.cwd)} 2>/dev/null || { [ -d ${quoted(spec.cwd)} ] && h_fail folder_closed 126; h_fail folder 126; }`,
    'unset OLDPWD',
    ...(words[0] === undefined ? [] : [`h_look ${quoted(words[0])} || h_fail program $?`]),
    // Gone with the shell: it is run when exec did not work.
    `trap 'echo exec >"$h_d/failed"' EXIT`,
    ...(text === null ? [exec] : [`${exec} <<'${end}'`, text, end]),
    '',
  ];
  return { run: Buffer.from(lines.join('\n')), script: Buffer.from(script) };
}

const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
const REASONS = new Set(['exited', 'timeout', 'cancelled', 'out_of_memory', 'not_started', 'lost']);

const NOTES: Readonly<Record<string, string>> = {
  disk: 'The disk of the machine is full: what it printed last is missing.',
  folder: 'The folder it should run in is not there.',
  folder_closed: 'The folder it should run in may not be entered.',
  exec: 'The program cannot be run on this machine.',
  supervisor: 'What kept it in the machine was ended: the machine was started anew, or somebody killed it.',
  output: 'What took down its output was killed, so some of it may be missing.',
  input: 'What fed its input was killed, so it may not have read all of it.',
  never: 'It was cancelled before it started.',
};

/** The line of `exit` in a spool; null when it is none. It comes from the machine: nothing in it is believed but its shape. */
export function resultOf(line: string): Result | null {
  const match = /^(\w+) (\d{1,3}|-) (\d{1,15}) (\d{1,15}) (\d{1,7}) (\w+|-)$/.exec(line.trim());
  const [, reason = '', rc = '', stdout, stderr, leftover, note = ''] = match ?? [];
  if (!REASONS.has(reason)) return null;
  const code = rc === '-' ? null : Number(rc);
  const signal =
    code !== null && code > 128 && code < 160 && reason !== 'not_started' ? (SIGNALS.get(code - 128) ?? null) : null;
  return {
    reason: reason === 'exited' && signal !== null ? 'signaled' : (reason as Result['reason']),
    exitCode: signal === null ? code : null,
    signal,
    bytes: { stdout: Number(stdout), stderr: Number(stderr) },
    leftover: Number(leftover),
    message:
      note === 'program'
        ? code === 127
          ? 'The program is not there.'
          : 'The program may not be run.'
        : (NOTES[note] ?? null),
  };
}
