import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { Exit, TerminalSize } from '../../port/machine.ts';
import { NAME, noClient, spawnSsh, through, watchStart } from './client.ts';
import { type Connection, orAborted, type Place } from './connection.ts';
import { lastLine, printable } from './failures.ts';
import { createMarks, type Marks } from './marks.ts';
import type { SshClient } from './master.ts';
import { escapeForPrintf } from './quote.ts';

/** From asking for a session to the first word of the script. */
const START_MS = 30_000;
/** A login shell takes the script as one argument, of which Linux has 128 KiB; on standard input only memory limits it. */
const ARGUMENT_MOST = 120_000;
const SCRIPT_MOST = 2_000_000;

export interface SessionOptions {
  /** sh text. It prints the mark `start` on both streams, or `gone`, and `end` with an exit code on stderr as the last. */
  readonly script: (marks: Marks) => string;
  readonly stdin: boolean;
  readonly terminal: TerminalSize | null;
  readonly signal: AbortSignal;
}

/** A script that runs on the machine, and has said that it does. */
export interface Session {
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Told among its output, so only to who reads that: stderr, or what a terminal shows. Rejects with connection_lost after `close`, too. */
  readonly exit: Promise<Exit>;
  /** What the script said with its first mark. */
  readonly note: string;
  close(): void;
}

/**
 * Starts a script in a session of its own. When the connection turns out to be dead before anything was sent, on another one.
 * @throws HangarError sandbox_gone when the script says so, connection_lost when it may run and nobody knows, driver_unavailable,
 * driver_auth_failed, host_key_changed, driver_busy, command_too_long
 */
export async function openSession(client: SshClient, connection: Connection, o: SessionOptions): Promise<Session> {
  for (;;) {
    const place = await connection.place(o.signal);
    let session: Session | null = null;
    try {
      session = await tryOpen(client, place, o);
      if (session) return session;
    } finally {
      if (!session) place.giveBack();
    }
  }
}

/** Null: no session came to be, and nothing was sent. */
async function tryOpen(client: SshClient, place: Place, o: SessionOptions): Promise<Session | null> {
  const marks = createMarks();
  const text = escapeForPrintf(o.script(marks));
  // What is typed into a terminal is changed on its way, so there the script is an argument, and elsewhere it is the first line of input.
  const inArguments = o.terminal !== null;
  if (text.length > (inArguments ? ARGUMENT_MOST : SCRIPT_MOST)) throw new HangarError('command_too_long');
  const command = inArguments
    ? `exec sh -c 'eval "$(printf %b "$1")"' sh '${text}'`
    : `exec sh -c 'IFS= read -r script && eval "$(printf %b "$script")"'`;
  const words = await client.folder.file('.log');
  const tty = o.terminal === null ? '-T' : '-tt';
  const child = spawnSsh([...through(place.master.socket), '-E', words, tty, NAME, command], {
    ...client.env,
    TERM: 'xterm-256color',
  });
  const notStarted = watchStart(child);
  const { stdout, stderr, seen } = listen(child, marks, o.terminal !== null);
  const input = inputOf(child, inArguments ? null : text, o);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
  void gone.then(place.giveBack);
  // Its end may come before the mark in front of it was read, and the stream without marks may never be.
  const marked = o.terminal === null ? child.stderr : child.stdout;
  const closed = Promise.all([gone, new Promise<void>((resolve) => marked.once('close', resolve))]);
  const finish = closed.then(async () => {
    const said = await readFile(words, 'utf8').catch(() => '');
    await rm(words, { force: true });
    return said.slice(-4_096);
  });
  const exit = exitOf(place, finish, seen.end, child);
  exit.catch(() => undefined);

  const close = () => {
    child.kill('SIGKILL');
    for (const stream of [child.stdout, child.stderr, stdout, stderr]) stream.destroy();
  };
  const late = AbortSignal.timeout(START_MS);
  try {
    await orAborted(Promise.race([seen.start, closed]), AbortSignal.any([o.signal, late]));
  } catch (error) {
    close();
    o.signal.throwIfAborted();
    if (late.aborted)
      throw new HangarError('driver_unavailable', { message: 'The machine does not start a session in time.' });
    throw error;
  }
  const started = seen.started();
  const why = notStarted();
  if (why !== null) throw noClient(why);
  if (started === null) return neverStarted(place, await finish, stdout.noise(), stderr.noise());
  place.began();
  if (started.kind === 'gone') {
    close();
    throw new HangarError('sandbox_gone');
  }
  return { stdin: input, stdout, stderr, exit, note: started.note, close };
}

function listen(child: ChildProcessWithoutNullStreams, marks: Marks, terminal: boolean) {
  const start = Promise.withResolvers<void>();
  const end = Promise.withResolvers<number | null>();
  let started: { kind: string; note: string } | null = null;
  let hasEnded = false;
  const onStart = (kind: string, note: string) => {
    if (kind === 'end') return;
    started ??= { kind, note };
    start.resolve();
  };
  const onEnd = (kind: string, note: string) => {
    const code = Number.parseInt(note, 10);
    if (kind !== 'end' || hasEnded) return;
    hasEnded = true;
    end.resolve(Number.isInteger(code) && code >= 0 && code <= 255 ? code : null);
  };
  const both = (kind: string, note: string) => {
    onStart(kind, note);
    onEnd(kind, note);
  };
  const stdout = child.stdout.pipe(marks.filter(terminal ? both : onStart));
  const stderr = child.stderr.pipe(marks.filter(onEnd));
  // A terminal has one stream. What ssh itself would say goes to its file.
  if (terminal) stderr.resume();
  return { stdout, stderr, seen: { start: start.promise, end: end.promise, started: () => started } };
}

/** The stream a caller writes to, behind the line that holds the script. */
function inputOf(child: ChildProcessWithoutNullStreams, script: string | null, o: SessionOptions): Writable | null {
  if (script !== null) child.stdin.write(`${script}\n`);
  if (!o.stdin) {
    child.stdin.end();
    return null;
  }
  if (o.terminal === null) return child.stdin;
  // A terminal has no end of input but the character for it.
  const typed = new PassThrough();
  typed.pipe(child.stdin, { end: false });
  typed.once('end', () => child.stdin.end('\x04'));
  return typed;
}

/** What the script told; when it told nothing, whether the connection is to blame. */
async function exitOf(
  place: Place,
  finish: Promise<string>,
  end: Promise<number | null>,
  child: ChildProcessWithoutNullStreams,
): Promise<Exit> {
  const told = await Promise.race([end.then((code) => ({ code })), finish.then(() => null)]);
  if (told) return { code: told.code, signal: null };
  if (child.signalCode === null && (await place.master.check())) {
    // The shell around the program was ended from outside. ssh says 255 for a signal, of which it does not tell the name.
    const code = child.exitCode;
    return { code: code === null || code === 255 ? null : code, signal: null };
  }
  throw new HangarError('connection_lost');
}

async function neverStarted(place: Place, words: string, ...noise: string[]): Promise<null> {
  if (/session request failed|Session open refused|administratively prohibited/i.test(words)) {
    place.refused();
    return null;
  }
  if (/read from master failed|write packet/i.test(words)) throw new HangarError('connection_lost');
  // Without a master ssh goes the way that leads nowhere: nothing was sent.
  if (/UNKNOWN port|Control socket/i.test(words)) {
    if (await place.master.check()) {
      throw new HangarError('driver_unavailable', { message: `The connection takes no sessions: ${lastLine(words)}` });
    }
    await place.master.close();
    return null;
  }
  if (!(await place.master.check())) throw new HangarError('connection_lost');
  const said = printable(
    noise
      .join('\n')
      .split('\n')
      .find((line) => line.trim() !== '') ?? lastLine(words),
  );
  throw new HangarError('driver_unavailable', {
    message: `The account on the machine runs no commands${said === '' ? '.' : `: ${said}`}`,
    wayOut: 'Give it a login shell, and take a forced command off its key.',
  });
}

/**
 * Runs a script of ours to its end. Its standard output, of which no more than `most` bytes are taken.
 * @param script has `start` and `end` around it already
 * @throws HangarError see openSession; and what `failed` makes of its complaint when it did not end with 0
 */
export async function runScript(
  client: SshClient,
  connection: Connection,
  o: {
    script: string;
    most: number;
    signal: AbortSignal;
    deadlineMs: number;
    failed: (complaint: string, code: number | null) => HangarError;
  },
): Promise<string> {
  const late = AbortSignal.timeout(o.deadlineMs);
  const signal = AbortSignal.any([o.signal, late]);
  const run = async (): Promise<string> => {
    const session = await openSession(client, connection, {
      ...{ stdin: false, terminal: null, signal },
      script: (marks) =>
        `${marks.print('start')}; ${marks.print('start')} >&2\n(\n${o.script}\n)\ncode=$?; ${marks.print('end', '$code')} >&2; exit 0`,
    });
    try {
      const [out, complaint, exit] = await orAborted(
        Promise.all([take(session.stdout, o.most), head(session.stderr, 8_192), session.exit]),
        signal,
      );
      if (exit.code !== 0) throw o.failed(complaint, exit.code);
      return out;
    } finally {
      session.close();
    }
  };
  try {
    return await run();
  } catch (error) {
    o.signal.throwIfAborted();
    if (late.aborted) {
      throw new HangarError('driver_unavailable', {
        message: 'The machine does not end in time what it was asked to do.',
      });
    }
    throw error;
  }
}

/** Text of a stream. What is longer is a machine that does not do what it was asked. */
async function take(stream: Readable, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > most)
      throw new HangarError('launch_failed', { message: 'The machine answers with more than was asked for.' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The beginning of a stream; the rest is not kept. */
async function head(stream: Readable, most: number): Promise<string> {
  let kept = Buffer.alloc(0);
  for await (const chunk of stream) {
    if (kept.length < most) kept = Buffer.concat([kept, chunk.subarray(0, most - kept.length)]);
  }
  return kept.toString('utf8');
}
