import { decodePath, HangarError } from '@hangar/contract';
import { asBuffer, readBytes } from './stream.ts';
import type { FileStat } from './types.ts';

const NUL = Buffer.from([0]);
/** A name and a link are at most 4096 bytes; whoever sends more is not listened to. */
const LONGEST_FIELD = 16 * 1024;

/** find: `y m s T@ U G`. */
const FOUND = /^([a-zA-Z]) ([0-7]{1,5}) (\d{1,18}) (-?\d+)(?:\.(\d{1,3})\d*)? (\d+) (\d+)$/;
/** stat: `f s Y u g`, the mode with its type in hex. */
const STATED = /^([0-9a-f]{3,6}) (\d{1,18}) (-?\d+) (\d+) (\d+)$/;
const KINDS: Readonly<Record<string, FileStat['type']>> = { f: 'file', d: 'folder', l: 'link' };
const FORMATS = new Map<number, FileStat['type']>([
  [8, 'file'],
  [4, 'folder'],
  [10, 'link'],
]);

export function statOf(output: Buffer, path: string): FileStat {
  const [facts = '', , target] = output.toString('latin1').split('\0');
  return { ...factsOf(facts, Buffer.from(target ?? '', 'latin1')), path };
}

export async function* statsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<FileStat> {
  const reader = readBytes(body);
  const field = async (): Promise<Buffer> => {
    const parts: Buffer[] = [];
    let length = 0;
    for (let part = await reader.until(NUL); part !== null; part = await reader.until(NUL)) {
      parts.push(part);
      length += part.length;
      if (length > LONGEST_FIELD) throw strange();
    }
    return Buffer.concat(parts);
  };
  while (!(await reader.isOver())) {
    const facts = (await field()).toString('latin1');
    const path = decodePath(await field());
    yield { ...factsOf(facts, await field()), path: path.startsWith('./') ? path.slice(2) : path };
  }
}

function factsOf(text: string, target: Buffer): Omit<FileStat, 'path'> {
  const [, kind, mode, size, seconds, fraction = '', uid, gid] = FOUND.exec(text) ?? [];
  if (kind !== undefined && mode !== undefined) {
    const ms = Number(fraction.padEnd(3, '0'));
    return made(
      KINDS[kind] ?? 'other',
      Number.parseInt(mode, 8),
      [size, uid, gid],
      Number(seconds) * 1000 + ms,
      target,
    );
  }
  const [, hex, bytes, at, owner, group] = STATED.exec(text) ?? [];
  if (hex === undefined) throw strange();
  const all = Number.parseInt(hex, 16);
  return made(FORMATS.get(all >> 12) ?? 'other', all & 0o7777, [bytes, owner, group], Number(at) * 1000, target);
}

function made(
  type: FileStat['type'],
  mode: number,
  [size, uid, gid]: readonly (string | undefined)[],
  time: number,
  target: Buffer,
): Omit<FileStat, 'path'> {
  const at = new Date(time);
  return {
    ...{ type, mode, size: Number(size), uid: Number(uid), gid: Number(gid) },
    modifiedAt: Number.isNaN(at.getTime()) ? new Date(0) : at,
    target: type === 'link' ? decodePath(asBuffer(target)) : null,
  };
}

const strange = () =>
  new HangarError('connection_lost', { message: 'The machine does not tell its files as it should.' });
