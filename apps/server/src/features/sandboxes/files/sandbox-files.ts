import type { Readable } from 'node:stream';
import {
  decodePath,
  type FileAt,
  type FileEntry,
  FOLDER_MOST,
  type Folder,
  HangarError,
  type SandboxId,
} from '@hangar/contract';
import type { FileStat } from '@hangar/sandbox';
import type { z } from 'zod';
import type { Hand } from '../needs.ts';
import type { SandboxRow } from '../store/sandboxes-tables.ts';
import type { OwnMachines, Person } from './own-machine.ts';

/** A path as it is asked for: text, or base64 of its bytes; the folder that commands begin in where neither is said. */
export interface PathAsked {
  readonly sandbox: z.output<typeof SandboxId>;
  readonly path?: string | undefined;
  readonly pathBase64?: string | undefined;
}

export type SandboxFiles = ReturnType<typeof createSandboxFiles>;

/** Files of one's own sandboxes. What the machine says of a file passes through as it is: each error has its code. */
export function createSandboxFiles(own: OwnMachines) {
  const homes = new WeakMap<Hand, string>();

  async function homeOf(hand: Hand, signal: AbortSignal): Promise<string> {
    const home = homes.get(hand) ?? (await hand.platform({ signal })).home;
    homes.set(hand, home);
    return home;
  }

  /** What begins with no slash is in the tree of its job, or in the home folder. */
  async function inFolder(
    row: Pick<SandboxRow, 'tree'>,
    hand: Hand,
    path: string,
    signal: AbortSignal,
  ): Promise<string> {
    if (path.startsWith('/')) return path;
    return `${row.tree?.path ?? (await homeOf(hand, signal))}/${path}`.replace(/\/+$/, '');
  }

  async function at(person: Person, asked: PathAsked, signal: AbortSignal) {
    const typed = pathOf(asked);
    const hand = await own.enter(person, asked.sandbox, signal);
    const row = await own.row(person, asked.sandbox);
    const absolute = (path: string) => inFolder(row, hand, path, signal);
    return { files: hand.files, absolute, path: await absolute(typed) };
  }

  /** Until a stream has closed, or when there is none. */
  async function whileUsed<T>(id: string, work: () => Promise<T>, until?: (result: T) => Readable): Promise<T> {
    const stop = own.inUse(id);
    try {
      const result = await work();
      if (until === undefined) stop();
      else until(result).once('close', stop);
      return result;
    } catch (error) {
      stop();
      throw error;
    }
  }

  return {
    absolute: inFolder,
    async list(person: Person, asked: PathAsked, signal: AbortSignal): Promise<Folder> {
      const { files, path } = await at(person, asked, signal);
      const entries: FileEntry[] = [];
      let more = false;
      for await (const found of files.list(path, { signal })) {
        more = entries.length === FOLDER_MOST;
        if (more) break;
        entries.push(entryOf(found));
      }
      return { path, entries: entries.sort(inOrder), more };
    },
    /** @throws HangarError file_not_found */
    async stat(person: Person, asked: PathAsked, signal: AbortSignal): Promise<FileAt> {
      const { files, path } = await at(person, asked, signal);
      const found = await files.stat(path, { signal });
      if (found === null) throw new HangarError('file_not_found');
      return { ...entryOf({ ...found, path: path.split('/').findLast((part) => part !== '') ?? '/' }), path };
    },
    async makeFolder(person: Person, asked: PathAsked, signal: AbortSignal): Promise<void> {
      const { files, path } = await at(person, asked, signal);
      await files.mkdir(path, { signal });
    },
    async move(person: Person, { to, ...asked }: PathAsked & { to: string }, signal: AbortSignal): Promise<void> {
      const { files, path, absolute } = await at(person, asked, signal);
      await files.rename(path, await absolute(to), { signal });
    },
    async remove(person: Person, asked: PathAsked & { recursive: boolean }, signal: AbortSignal): Promise<void> {
      const { files, path } = await at(person, asked, signal);
      await whileUsed(asked.sandbox, () => files.remove(path, { signal, recursive: asked.recursive }));
    },
    async read(
      person: Person,
      { length, ...asked }: PathAsked & { length?: number | undefined },
      signal: AbortSignal,
    ): Promise<{ path: string; body: Readable }> {
      const { files, path } = await at(person, asked, signal);
      const read = () => files.read(path, { signal, ...(length === undefined ? {} : { length }) });
      return { path, body: await whileUsed(asked.sandbox, read, (body) => body) };
    },
    async write(
      person: Person,
      { mode, ...asked }: PathAsked & { mode?: number | undefined },
      body: Readable,
      signal: AbortSignal,
    ): Promise<void> {
      const { files, path } = await at(person, asked, signal);
      await whileUsed(asked.sandbox, () =>
        files.write(path, body, { signal, ...(mode === undefined ? {} : { mode }) }),
      );
    },
    async download(person: Person, asked: PathAsked, signal: AbortSignal): Promise<{ path: string; body: Readable }> {
      const { files, path } = await at(person, asked, signal);
      return {
        path,
        body: await whileUsed(
          asked.sandbox,
          () => files.download(path, { signal }),
          (body) => body,
        ),
      };
    },
    async upload(person: Person, asked: PathAsked, tar: Readable, signal: AbortSignal): Promise<void> {
      const { files, path } = await at(person, asked, signal);
      await whileUsed(asked.sandbox, () => files.upload(path, tar, { signal }));
    },
  };
}

/** @throws HangarError validation_failed */
function pathOf({ path, pathBase64 }: PathAsked): string {
  if (pathBase64 === undefined) return path ?? '';
  if (path !== undefined)
    throw new HangarError('validation_failed', { message: 'pathBase64: a path is text or base64, not both' });
  const decoded = decodePath(Buffer.from(pathBase64, 'base64'));
  if (decoded.includes('\0'))
    throw new HangarError('validation_failed', { message: 'pathBase64: a path holds no NUL' });
  return decoded;
}

function entryOf({ path, type, size, mode, modifiedAt, target }: FileStat): FileEntry {
  return { name: path, type, size, mode, modifiedAt: modifiedAt.toISOString(), target };
}

const inOrder = (a: FileEntry, b: FileEntry): number =>
  Number(b.type === 'folder') - Number(a.type === 'folder') || (a.name < b.name ? -1 : 1);
