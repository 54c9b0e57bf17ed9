import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import type { CallOptions } from '../port/call.ts';
import type { Channel, Machine, OpenOptions } from '../port/machine.ts';
import type { Answer, AskOptions } from './ask.ts';
import { type Facts, probeFacts } from './facts.ts';
import { sh } from './sh.ts';
import { brokenAnswer, fromBase64, readBytes } from './stream.ts';

/** How long a question may take whose answer is short. */
const ANSWER_MS = 60_000;
const LONGEST_ANSWER = 32 * 1024 * 1024;
const MOST_ERROR = 600;
const REMOVE_MS = 10_000;
/** How long a channel that said too little may take to tell why. */
const WHY_MS = 10_000;

/** Scripts through the channels of a machine: exact bytes both ways, whatever banners and stderr its accounts print. */
export interface Talk {
  readonly machine: Machine;
  facts(o: CallOptions, user?: string | null): Promise<Facts>;
  /** Runs a script with `$1`… and waits for its answer. A code that is not 0 is an answer. */
  ask(script: string, args: readonly string[], o: AskOptions): Promise<Answer>;
  pour(script: string, args: readonly string[], o: AskOptions): AsyncGenerator<Buffer, Omit<Answer, 'output'>>;
  /** A channel that runs a script with `$1`…; what is on its streams is between the script and the caller. */
  open(script: string, args: readonly string[], o: AskOptions): Promise<Channel>;
  /** Why a channel that said too little has ended. */
  brokenBy(channel: Channel, signal: AbortSignal): Promise<unknown>;
}

/** Its stdout is what the script prints, between two marks; stderr comes behind the second. */
const ASKED = (script: string) => sh`
h_mark=$1 h_text=$2; shift 2
h_body() { ${script}
}
h_all() {
  printf '\n%s begin\n' "$h_mark"
  { h_error=$( (LC_ALL=C; export LC_ALL; h_body "$@") 2>&1 >&3 3>&- ); h_code=$?; } 3>&1
  printf '\001%s end %s %s\n' "$h_mark" "$h_code" "$(printf %s "$h_error" | tr '\n\r' '  ' | head -c 600)"
}
if [ "$h_text" = 1 ]; then printf '\n%s text\n' "$h_mark"; h_all "$@" | base64; else h_all "$@"; fi
`;

const WITH_INPUT_FILE = (script: string) => sh`h_input=$1; shift; exec <"$h_input" || exit 1; rm -f "$h_input"
${script}`;

export const nonce = (): string => randomBytes(12).toString('hex');

export function createTalk(machine: Machine, folder: string | undefined): Talk {
  const { capabilities } = machine;
  const isText = capabilities.stdio === 'text';
  const byFile = isText || capabilities.stdin !== 'stream';
  const known = new Map<string, Promise<Facts>>();

  async function facts(o: CallOptions, user: string | null = null): Promise<Facts> {
    const key = user ?? '';
    const before = known.get(key);
    if (before !== undefined)
      try {
        return await before;
      } catch (error) {
        // It was another's question, which ended with its caller: this one asks for itself.
        if (o.signal.aborted || known.get(key) === before) throw error;
        return facts(o, user);
      }
    const asked = probeFacts({ ask }, folder, user, o);
    known.set(key, asked);
    // One who is told to stop, or is cut, leaves the question to the next.
    asked.catch(() => known.delete(key));
    return asked;
  }

  async function open(script: string, args: readonly string[], o: AskOptions): Promise<Channel> {
    const signal = deadline(o);
    signal.throwIfAborted();
    const user = o.user ?? null;
    const argv: [string, ...string[]] = ['sh', '-c', script, 'hangar', ...args];
    const checked = (words: [string, ...string[]]) => {
      for (const word of words)
        if (Buffer.byteLength(word) > capabilities.argumentBytes) throw new HangarError('command_too_long');
      return words;
    };
    if (o.input === undefined || !byFile) {
      const stdin = o.input !== undefined || o.lines === true;
      return opened(checked(argv), { signal, stdin, ...(user === null ? {} : { user }) }, o.input);
    }
    if (machine.writeFile === undefined || user !== null) throw unsupportedInput();
    // Without the input: what is asked first has none.
    const path = `${(await facts({ signal: o.signal })).folder}/.input-${nonce()}`;
    argv.splice(2, 2, WITH_INPUT_FILE(script), 'hangar', path);
    // It may hold secrets. What runs removes it by itself; what was given up or cut may never have run.
    const remove = () =>
      ask('rm -f "$1"', [path], { signal: AbortSignal.timeout(REMOVE_MS) }).then(undefined, () => undefined);
    try {
      await machine.writeFile(path, asReadable(o.input), { signal });
      const channel = await opened(checked(argv), { signal, stdin: false }, undefined);
      channel.exit.catch(remove);
      return channel;
    } catch (error) {
      await remove();
      throw error;
    }
  }

  async function opened(argv: [string, ...string[]], o: OpenOptions, input: Readable | Uint8Array | undefined) {
    const { signal } = o;
    const channel = await machine.open(argv, o);
    const close = () => channel.close();
    // Drivers need not look at the signal at the end of what they wait for: it may be over already, and never tells again.
    if (signal.aborted) {
      close();
      throw signal.reason;
    }
    signal.addEventListener('abort', close, { once: true });
    const forgetSignal = () => signal.removeEventListener('abort', close);
    channel.exit.then(forgetSignal, forgetSignal);
    // Errors of a broken connection are told by `exit`; here they would end the process.
    channel.stdin?.on('error', () => undefined);
    if (input !== undefined) send(asReadable(input), channel);
    return channel;
  }

  async function brokenBy(channel: Channel, signal: AbortSignal): Promise<unknown> {
    if (signal.aborted) return signal.reason;
    try {
      const exit = await Promise.race([channel.exit, sleep(WHY_MS, null, { ref: false })]);
      if (exit === null) return brokenAnswer('The answer of the machine broke off.');
      return brokenAnswer(
        `The answer of the machine broke off (it ended with ${exit.code ?? exit.signal ?? 'nothing'}).`,
      );
    } catch (error) {
      return signal.aborted ? signal.reason : error;
    }
  }

  async function* pour(script: string, args: readonly string[], o: AskOptions) {
    const mark = nonce();
    const limited = { ...o, signal: deadline(o), deadlineMs: null };
    const channel = await open(ASKED(script), [mark, isText ? '1' : '0', ...args], limited);
    channel.stderr.on('error', () => undefined).resume();
    try {
      const source = isText ? fromBase64(channel.stdout, `${mark} text`) : channel.stdout;
      const reader = readBytes(source);
      const end = Buffer.from(`\x01${mark} end `);
      for (let line = await reader.line(); line !== `${mark} begin`; line = await reader.line())
        if (line === null) throw brokenAnswer('The machine gave no answer.');
      for (let part = await reader.until(end); part !== null; part = await reader.until(end)) yield part;
      const [, code = '', error = ''] = /^(\d+) (.*)$/s.exec((await reader.line()) ?? '') ?? [];
      if (code === '') throw brokenAnswer('The answer of the machine broke off.');
      return { code: Number(code), error: Buffer.from(error.slice(0, MOST_ERROR), 'latin1').toString().trim() };
    } catch (error) {
      throw limited.signal.aborted || isOfStream(error) ? await brokenBy(channel, limited.signal) : error;
    } finally {
      channel.close();
    }
  }

  async function ask(script: string, args: readonly string[], o: AskOptions): Promise<Answer> {
    const parts: Buffer[] = [];
    let length = 0;
    const pouring = pour(script, args, o);
    for (let next = await pouring.next(); ; next = await pouring.next()) {
      if (next.done) return { output: Buffer.concat(parts), ...next.value };
      length += next.value.length;
      if (length > LONGEST_ANSWER) {
        await pouring.return({ code: 0, error: '' });
        throw new HangarError('body_too_large', { message: 'The machine answers with more than 32 MiB.' });
      }
      parts.push(next.value);
    }
  }

  return { machine, facts, ask, pour, open, brokenBy };
}

/** Whether it says only that the stream broke, not why. */
const isOfStream = (error: unknown): boolean => !(error instanceof HangarError) || error.code === 'connection_lost';

function deadline(o: AskOptions): AbortSignal {
  const ms = o.deadlineMs === undefined ? ANSWER_MS : o.deadlineMs;
  if (ms === null) return o.signal;
  const over = new AbortController();
  const timer = setTimeout(
    () => over.abort(brokenAnswer(`The machine did not answer within ${Math.round(ms / 1000)} seconds.`)),
    ms,
  );
  timer.unref();
  return AbortSignal.any([o.signal, over.signal]);
}

/** A program that stops reading, as when its disk is full, still says why: only what cannot be read here breaks the channel. */
function send(input: Readable, channel: Channel): void {
  const { stdin } = channel;
  if (stdin === null) return;
  let takes = true;
  const over = () => {
    takes = false;
    input.destroy();
  };
  const ended = () => {
    // It must not look like an end of it there.
    if (takes && !input.readableEnded) channel.close();
  };
  stdin.once('error', over).once('close', over);
  input.once('error', ended).once('close', ended);
  input.pipe(stdin);
  if (stdin.destroyed) over();
  if (input.destroyed) ended();
}

const asReadable = (input: Readable | Uint8Array): Readable =>
  input instanceof Readable ? input : Readable.from([input], { objectMode: false });

const unsupportedInput = () =>
  new HangarError('unsupported', {
    message: 'This machine takes input for another account neither on standard input nor as a file.',
    wayOut: 'Leave the account out.',
  });
