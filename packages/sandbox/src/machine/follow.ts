import { HangarError } from '@hangar/contract';
import type { Channel } from '../port/machine.ts';
import { resultOf } from './spec.ts';
import { BASE64_LINE, type ByteReader, brokenAnswer, readBytes } from './stream.ts';
import type { Offsets, Output } from './types.ts';

/** How one channel of following ended where the execution did not. */
export type Break =
  /** So much went over it that a new one is opened. */
  | { readonly kind: 'more' }
  | { readonly kind: 'none' }
  /** Its spool belongs to another account. */
  | { readonly kind: 'as'; readonly user: string };

const MOST_FRAME = 4 * 1024 * 1024;

/**
 * Reads what the script FOLLOW says, and moves the offsets. Ends after `end`, or with what it broke off for.
 * @throws HangarError disk_full, launch_failed; what the channel broke for comes as connection_lost
 */
export async function* readFollowed(
  channel: Channel,
  mark: string,
  isText: boolean,
  at: { stdout: number; stderr: number },
): AsyncGenerator<Output, Break | null> {
  const reader = readBytes(channel.stdout);
  const broken = () => brokenAnswer('The connection to the execution broke.');
  const next = async (): Promise<string[]> => {
    for (;;) {
      const line = await reader.line();
      if (line === null) throw broken();
      if (line.startsWith(`${mark} `))
        return line
          .slice(mark.length + 1)
          .trimEnd()
          .split(' ');
    }
  };
  for (;;) {
    const [kind = '', ...words] = await next();
    if (kind === 'pid') {
      const pid = Number(words[0]);
      if (pid > 0) yield { type: 'started', pid };
    } else if (kind === 'out' || kind === 'err') {
      yield* frame(reader, kind === 'out' ? 'stdout' : 'stderr', words, isText, at);
    } else if (kind === 'raw') {
      yield* both(channel, reader, mark, at);
    } else if (kind === 'end') {
      const result = resultOf(words.join(' '));
      if (result === null) throw brokenAnswer('The machine does not say how the execution ended.');
      if (at.stdout < result.bytes.stdout || at.stderr < result.bytes.stderr)
        throw brokenAnswer('Not all that the execution printed has come.');
      yield { type: 'end', result };
      return null;
    } else if (kind === 'more' || kind === 'none') return { kind };
    else if (kind === 'as') return { kind, user: words.join(' ') };
    else if (kind === 'fail') throw failedStart(words.join(' '));
    else if (kind === 'cut') throw broken();
  }
}

async function* frame(
  reader: ByteReader,
  type: 'stdout' | 'stderr',
  [size = '']: readonly string[],
  isText: boolean,
  at: { stdout: number; stderr: number },
): AsyncGenerator<Output> {
  const length = Number(size);
  if (!(length > 0 && length <= MOST_FRAME)) throw brokenAnswer('The machine sends pieces of no size.');
  // In lines of base64 that go out in one write each: longer ones may come with the other stream in their middle.
  if (isText) {
    const parts: Buffer[] = [];
    let left = length;
    while (left > 0) {
      const line = await reader.line();
      if (line === null) throw brokenAnswer('The connection to the execution broke.');
      const data = BASE64_LINE.test(line) ? Buffer.from(line, 'base64') : null;
      if (data === null || data.length > left) throw brokenAnswer('A piece of output came broken.');
      parts.push(data);
      left -= data.length;
    }
    yield piece(type, Buffer.concat(parts), at);
    return;
  }
  for (let left = length; left > 0; ) {
    const data = await reader.some(left);
    if (data === null) throw brokenAnswer('The connection to the execution broke.');
    left -= data.length;
    yield piece(type, data, at);
  }
}

function piece(type: 'stdout' | 'stderr', data: Buffer, at: { stdout: number; stderr: number }): Output {
  const offset = at[type];
  at[type] += data.length;
  return { type, offset, data };
}

/** Both streams as they are, up to the mark in each, whichever has something; neither is read ahead of whoever takes it. */
async function* both(
  channel: Channel,
  stdout: ByteReader,
  mark: string,
  at: { stdout: number; stderr: number },
): AsyncGenerator<Output> {
  const stderr = readBytes(channel.stderr);
  // Not behind its end: the line of it is read as the next.
  const end = { stdout: Buffer.from(`\x01${mark} `), stderr: Buffer.from(`\x01${mark} end`) };
  const begun = async () => {
    for (let line = await stderr.line(); line !== `${mark} raw`; line = await stderr.line())
      if (line === null) throw brokenAnswer('The connection to the execution broke.');
    return null;
  };
  const take = {
    stdout: async () => ({ type: 'stdout' as const, data: await stdout.until(end.stdout) }),
    stderr: async () => ({ type: 'stderr' as const, data: await stderr.until(end.stderr) }),
  };
  const waiting = new Map<'stdout' | 'stderr', Promise<{ type: 'stdout' | 'stderr'; data: Buffer | null }>>();
  waiting.set('stdout', take.stdout());
  waiting.set('stderr', begun().then(take.stderr));
  // The one that is not looked at when the other breaks breaks as well.
  for (const one of waiting.values()) one.catch(() => undefined);
  while (waiting.size > 0) {
    const { type, data } = await Promise.race(waiting.values());
    if (data === null) waiting.delete(type);
    else {
      yield piece(type, data, at);
      const coming = take[type]();
      coming.catch(() => undefined);
      waiting.set(type, coming);
    }
  }
  stdout.back(Buffer.from(`${mark} `));
}

function failedStart(why: string): HangarError {
  if (why === 'cut') return brokenAnswer('The connection broke before all of the execution was sent.');
  if (/No space left|quota exceeded/i.test(why))
    return new HangarError('disk_full', { message: 'The disk of the machine is full.' });
  return new HangarError('launch_failed', { message: `The execution could not be started: ${why}` });
}

export const startOf = (from: Offsets): { stdout: number; stderr: number } => ({
  stdout: from.stdout,
  stderr: from.stderr,
});
