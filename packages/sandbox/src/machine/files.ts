import { Readable } from 'node:stream';
import { encodePath, HangarError, showPath } from '@hangar/contract';
import type { CallOptions } from '../port/call.ts';
import type { Answer, AskOptions } from './ask.ts';
import { settleFile } from './file-errors.ts';
import * as scripts from './file-scripts.ts';
import { statOf, statsOf } from './file-stat.ts';
import { asBuffer } from './stream.ts';
import { nonce, type Talk } from './talk.ts';
import { guardTar } from './tar-gate.ts';
import type { Files } from './types.ts';

const LONGEST_PATH = 4096;
/** What is shorter goes over in one channel; of what is longer the size is known only when it is there. */
const SHORT = 1024 * 1024;
const MOST_DEPTH = 1000;
const UNSTAGE_MS = 30_000;
/** As arguments of a tar that reads no list. */
const MOST_NAMES = 100_000;

export function createFiles(talk: Talk): Files {
  const { machine } = talk;
  const isText = machine.capabilities.stdio === 'text';
  const byFile = isText || machine.capabilities.stdin !== 'stream';

  async function ask(path: string, script: string, args: readonly string[], o: AskOptions): Promise<Answer> {
    const answer = await talk.ask(script, [word(path), ...args], o);
    settleCode(answer, path);
    return answer;
  }

  /** What a script prints, as it comes. It has begun well when this answers. */
  async function stream(path: string, script: string, args: readonly string[], o: AskOptions): Promise<Readable> {
    const pouring = talk.pour(script, [word(path), ...args], { ...o, deadlineMs: null });
    const first = await pouring.next();
    if (first.done) settleCode(first.value, path);
    async function* rest() {
      try {
        for (let next = first; ; next = await pouring.next()) {
          if (next.done) return settleCode(next.value, path);
          yield next.value;
        }
      } finally {
        await pouring.return({ code: 0, error: '' });
      }
    }
    return Readable.from(rest(), { objectMode: false });
  }

  /** Through a file, where streams are text: a script puts it there, and it is removed when it was read. */
  async function throughFile(
    path: string,
    script: string,
    args: (file: string) => readonly string[],
    o: AskOptions,
  ): Promise<Readable> {
    if (machine.readFile === undefined) throw new HangarError('unsupported');
    const file = `${(await talk.facts(o)).folder}/.output-${nonce()}`;
    const remove = () => talk.ask('rm -f "$1"', [file], { signal: o.signal });
    try {
      await ask(path, script, args(file), { ...o, deadlineMs: null });
      const body = await machine.readFile(file, { signal: o.signal });
      body.once('close', () => void remove().catch(() => undefined));
      return body;
    } catch (error) {
      await remove().catch(() => undefined);
      throw error;
    }
  }

  const gnu = async (o: CallOptions) => ((await talk.facts(o)).printf ? '1' : '0');

  async function writeLong(path: string, head: Buffer, rest: AsyncIterator<Uint8Array>, mode: string, o: CallOptions) {
    const name = nonce();
    let size = 0;
    async function* counted() {
      for await (const chunk of after(head, rest)) {
        size += chunk.length;
        yield asBuffer(chunk);
      }
    }
    try {
      const { output } = await sending(counted(), (input) =>
        ask(path, scripts.STAGE, [name], { ...o, input, deadlineMs: null }),
      );
      if (Number(output.toString()) !== size)
        throw new HangarError('connection_lost', {
          message: `${showPath(path)}: the connection broke while it was sent.`,
        });
      await ask(path, scripts.COMMIT, [name, mode], o);
    } catch (error) {
      // Whoever has stopped it leaves nothing behind either.
      const left = { signal: AbortSignal.timeout(UNSTAGE_MS) };
      await talk.ask(scripts.UNSTAGE, [word(path), name], left).catch(() => undefined);
      throw error;
    }
  }

  return {
    async stat(path, o) {
      const answer = await talk.ask(scripts.STAT_ONE, [word(path), await gnu(o)], o);
      // Nothing can be below what is no folder.
      if (answer.code !== 0 && /No such file or directory|Not a directory/.test(answer.error)) return null;
      settleFile(answer, path);
      return statOf(answer.output, path);
    },
    async *list(path, o) {
      const depth = Math.min(Math.max(1, Math.floor(o.depth ?? 1)), MOST_DEPTH);
      const body = await stream(path, scripts.STAT_ALL, [await gnu(o), String(depth)], o);
      yield* statsOf(body);
    },
    async read(path, o) {
      const { skipsBytes } = await talk.facts(o);
      const args = [o.offset ?? 0, o.length ?? '-', skipsBytes ? 1 : 0].map(String);
      if (o.length === 0) {
        await ask(path, scripts.READ, [...args, '-'], o);
        return Readable.from([]);
      }
      if (!isText) return stream(path, scripts.READ, [...args, '-'], o);
      return throughFile(path, scripts.READ, (file) => [...args, file], o);
    },
    async write(path, body, o) {
      if (o.mode !== undefined && !(o.mode >= 0 && o.mode <= 0o7777)) throw invalid('mode', 'The mode is none.');
      const mode = o.mode?.toString(8) ?? '-';
      const short = body instanceof Readable ? await begin(body) : { head: asBuffer(body), rest: null };
      if (short.rest === null || byFile) {
        const whole =
          short.rest === null ? short.head : Readable.from(after(short.head, short.rest), { objectMode: false });
        const size = short.rest === null ? String(short.head.length) : '-';
        await ask(path, scripts.WRITE_FILE, [nonce(), size, mode], { ...o, input: whole, deadlineMs: null });
      } else await writeLong(path, short.head, short.rest, mode, o);
    },
    async mkdir(path, o) {
      await ask(path, scripts.MKDIR, [], o);
    },
    async remove(path, o) {
      if (/^\/+$/.test(path)) throw invalid('path', 'The root of the machine is not removed.');
      await ask(path, scripts.REMOVE, [o.recursive ? '1' : '0'], { ...o, deadlineMs: null });
    },
    async rename(from, to, o) {
      await ask(from, scripts.RENAME, [word(to)], o);
    },
    async upload(path, tar, o) {
      await sending(guardTar(tar), (input) => ask(path, scripts.UNPACK, [], { ...o, input, deadlineMs: null }));
    },
    async download(path, o) {
      const isGnu = await gnu(o);
      const names = o.paths === undefined ? {} : { input: namesOf(o.paths, isGnu === '1') };
      const args = [o.paths === undefined ? '1' : '0', isGnu];
      const options = { ...o, ...names };
      const body = isText
        ? await throughFile(path, scripts.PACK, (file) => [...args, file], options)
        : await stream(path, scripts.PACK, [...args, '-'], options);
      return guardTar(body);
    },
  };
}

/**
 * What failed in reading what is sent counts more than the channel that broke because of it. The stream that is handed out does not tell:
 * it gets the errors of what it is sent through, too.
 */
async function sending<T>(source: AsyncIterable<Uint8Array>, work: (body: Readable) => Promise<T>): Promise<T> {
  const failures: unknown[] = [];
  async function* all() {
    const chunks = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await chunks.next().catch((error: unknown) => {
          failures.push(error);
          throw error;
        });
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await chunks.return?.();
    }
  }
  try {
    return await work(Readable.from(all(), { objectMode: false }));
  } catch (error) {
    throw failures.length > 0 ? failures[0] : error;
  }
}

async function begin(body: Readable): Promise<{ head: Buffer; rest: AsyncIterator<Uint8Array> | null }> {
  const chunks = body[Symbol.asyncIterator]();
  const parts: Buffer[] = [];
  for (let size = 0; size <= SHORT; ) {
    const next = await chunks.next();
    if (next.done) return { head: Buffer.concat(parts), rest: null };
    const part = asBuffer(typeof next.value === 'string' ? Buffer.from(next.value) : next.value);
    parts.push(part);
    size += part.length;
  }
  return { head: Buffer.concat(parts), rest: chunks };
}

async function* after(head: Buffer, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

/** A path as the scripts take it. @throws HangarError validation_failed */
function word(path: string): string {
  const bytes = encodePath(path);
  if (!path.startsWith('/')) throw invalid('path', `Not an absolute path: ${showPath(path)}`);
  if (path.includes('\0')) throw invalid('path', 'A path holds no NUL.');
  if (bytes.length > LONGEST_PATH) throw invalid('path', 'The path is longer than 4096 bytes.');
  return [...bytes]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9/._-]/.test(char) ? char : `\\0${byte.toString(8).padStart(3, '0')}`;
    })
    .join('');
}

function namesOf(paths: readonly string[], isGnu: boolean): Buffer {
  const names = paths.map((path) => {
    if (path.startsWith('/') || path.split('/').includes('..') || path === '' || path.includes('\0'))
      throw invalid('paths', `Not a path below the folder: ${showPath(path)}`);
    return Buffer.concat([encodePath(`./${path}`), Buffer.from([0])]);
  });
  const all = Buffer.concat(names);
  if (!isGnu && all.length > MOST_NAMES)
    throw new HangarError('unsupported', {
      message: 'The tar of this machine takes no more than 100 kB of names at once.',
      wayOut: 'Ask for a folder above them, or for fewer at a time.',
    });
  return all;
}

const invalid = (field: string, message: string) =>
  new HangarError('validation_failed', { message, details: { fields: { [field]: message } } });

function settleCode(answer: Pick<Answer, 'code' | 'error'>, path: string): void {
  const shown = showPath(path);
  if (answer.code === 40) throw new HangarError('path_in_the_way', { message: `${shown} is no file.` });
  if (answer.code === 41) throw new HangarError('path_in_the_way', { message: `${shown} is a folder.` });
  if (answer.code === 42)
    throw new HangarError('connection_lost', { message: `${shown}: the connection broke while it was sent.` });
  if (answer.code === 43)
    throw new HangarError('unsupported', { message: 'The machine has no tar.', wayOut: 'Use an image with tar.' });
  settleFile(answer, path);
}
