import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import type { CallOptions } from '../port/call.ts';
import type { Channel } from '../port/machine.ts';
import type { Answer, AskOptions } from './ask.ts';
import { settle } from './execution-answers.ts';
import { INPUT, INPUT_ONCE } from './execution-scripts.ts';
import { checkId } from './spec.ts';
import { brokenAnswer, readBytes } from './stream.ts';
import { nonce, type Talk } from './talk.ts';
import type { InputChannel } from './types.ts';

const WRITER = /^[A-Za-z0-9]{8,64}$/;
const MOST = 64 * 1024;
const FEW = 64;
/** For the machine to take what was typed, or to say where it stands. */
const ANSWER_MS = 30_000;

interface Executing {
  readonly talk: Talk;
  /** Account by id, of those that are not the machine's own. */
  readonly accounts: Map<string, string>;
  /** Asks where the execution is. */
  readonly ask: (id: string, script: string, args: readonly (string | number)[], o: AskOptions) => Promise<Answer>;
}

export async function openInput(on: Executing, id: string, writer: string, o: CallOptions): Promise<InputChannel> {
  checkId(id);
  if (!WRITER.test(writer))
    throw new HangarError('validation_failed', { message: 'writer: 8 to 64 letters and digits' });
  return on.talk.machine.capabilities.stdin === 'stream' ? openLines(on, id, writer, o) : byPieces(on, id, writer, o);
}

/** One process in the machine for all that is typed, which answers each line. */
async function openLines(
  { talk, accounts }: Executing,
  id: string,
  writer: string,
  o: CallOptions,
): Promise<InputChannel> {
  for (let user = accounts.get(id) ?? null; ; ) {
    const { folder } = await talk.facts(o, user);
    const mark = nonce();
    const channel = await talk.open(INPUT, [folder, id, writer, mark], { ...o, user, lines: true, deadlineMs: null });
    channel.stderr.on('error', () => undefined).resume();
    const answers = answersOf(talk, channel, mark, o.signal);
    try {
      const [kind = '', ...words] = await answers.next();
      if (kind === 'open') return overLines(channel, answers.next, factsOf(words.join(' ')));
      if (kind !== 'as' || words.join(' ') === user) throw new HangarError('execution_not_found');
      channel.close();
      user = words.join(' ');
      accounts.set(id, user);
    } catch (error) {
      channel.close();
      throw error;
    }
  }
}

function overLines(channel: Channel, next: () => Promise<string[]>, facts: InputFacts): InputChannel {
  let { taken } = facts;
  let sent = taken;
  /** Answers come in the order of what was sent. */
  let before: Promise<unknown> = Promise.resolve();
  let broken: unknown = null;
  const answer = async (): Promise<number> => {
    if (broken !== null) throw broken;
    const [kind, code, total] = await next();
    if (kind !== 'taken') throw new HangarError('execution_not_found');
    // Hardly anything else keeps a line from being put into a file.
    settle({ code: Number(code), error: code === '1' ? 'No space left on device' : '' });
    taken = Number(total);
    return taken;
  };
  return {
    ...{ printed: facts.printed, size: facts.size },
    get taken() {
      return taken;
    },
    write(bytes) {
      checkLength(bytes);
      channel.stdin?.write(`${sent} ${bytes.length} ${encoded(bytes)}\n`);
      sent += bytes.length;
      const answered = before.then(answer).catch((error: unknown) => {
        broken ??= error;
        channel.close();
        throw error;
      });
      before = answered.catch(() => undefined);
      return answered;
    },
    close() {
      channel.stdin?.end();
      channel.close();
    },
  };
}

/** Lines behind the mark; what a machine prints beside them is nothing. */
function answersOf(talk: Talk, channel: Channel, mark: string, signal: AbortSignal) {
  const reader = readBytes(channel.stdout);
  const read = async (): Promise<string[]> => {
    for (;;) {
      const line = await reader.line();
      if (line === null) throw brokenAnswer('The input of the execution broke off.');
      if (line.startsWith(`${mark} `))
        return line
          .slice(mark.length + 1)
          .trimEnd()
          .split(' ');
    }
  };
  return {
    async next(): Promise<string[]> {
      const over = new AbortController();
      const late = sleep(ANSWER_MS, null, { signal: over.signal }).catch(() => null);
      try {
        const words = await Promise.race([read(), late]);
        if (words === null) throw brokenAnswer(`The machine did not take input within ${ANSWER_MS / 1000} seconds.`);
        return words;
      } catch (error) {
        const isLost = !(error instanceof HangarError) || error.code === 'connection_lost';
        if (!isLost && !signal.aborted) throw error;
        channel.close();
        throw await talk.brokenBy(channel, signal);
      } finally {
        over.abort();
      }
    },
  };
}

/** Where nothing stays open, each piece is a process of its own. */
async function byPieces({ ask }: Executing, id: string, writer: string, o: CallOptions): Promise<InputChannel> {
  const type = async (at: number, bytes: Uint8Array): Promise<InputFacts> => {
    const given = bytes.length === 0 ? {} : { input: bytes };
    const { output } = await ask(id, INPUT_ONCE, [writer, nonce(), at, bytes.length], {
      ...{ ...o, ...given, deadlineMs: ANSWER_MS },
    });
    return factsOf(output.toString());
  };
  const facts = await type(0, new Uint8Array());
  let { taken } = facts;
  let sent = taken;
  let before: Promise<unknown> = Promise.resolve();
  const over = new AbortController();
  return {
    ...{ printed: facts.printed, size: facts.size },
    get taken() {
      return taken;
    },
    write(bytes) {
      checkLength(bytes);
      const at = sent;
      sent += bytes.length;
      const written = before.then(async () => {
        over.signal.throwIfAborted();
        taken = (await type(at, bytes)).taken;
        return taken;
      });
      // What comes after one that failed would be missing something before it.
      before = written.catch((error: unknown) => over.abort(error));
      return written;
    },
    close: () => over.abort(brokenAnswer('The input was closed.')),
  };
}

interface InputFacts {
  readonly taken: number;
  readonly printed: number;
  readonly size: { readonly columns: number; readonly rows: number } | null;
}

/** It comes from the machine: nothing in it is believed but its shape. */
function factsOf(line: string): InputFacts {
  const [, taken, printed, rows, columns] = /^(\d{1,15}) (\d{1,15})(?: (\d{1,4}) (\d{1,4}))?$/.exec(line.trim()) ?? [];
  if (taken === undefined) throw brokenAnswer('The machine does not say how much input it has.');
  const size = rows === undefined ? null : { columns: Number(columns), rows: Number(rows) };
  return { taken: Number(taken), printed: Number(printed), size };
}

/** Few bytes in octal, which a shell decodes by itself. */
const encoded = (bytes: Uint8Array): string =>
  bytes.length > FEW
    ? Buffer.from(bytes).toString('base64')
    : Array.from(bytes, (byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('');

function checkLength(bytes: Uint8Array): void {
  if (bytes.length > MOST) throw new HangarError('body_too_large', { message: 'At most 64 KiB are typed at once.' });
}
