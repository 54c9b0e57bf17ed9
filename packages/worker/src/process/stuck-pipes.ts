import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const AFTER_MS = 3000;
const AGAIN_MS = 1000;

/**
 * Git opens `.gitignore`, `.gitattributes` and the files of a repository wherever they are, and waits for ever where one is a pipe. When
 * reading a work tree takes long, such pipes are looked for and opened from the other side: then git reads an empty file.
 * @returns what ends it
 */
export function openStuckPipes(tree: string): () => Promise<void> {
  const over = new AbortController();
  const done = (async () => {
    await sleep(AFTER_MS, undefined, { signal: over.signal, ref: false });
    const pipes = await pipesOf(tree, over.signal);
    while (pipes.length > 0) {
      for (const pipe of pipes)
        await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK).then(close, () => undefined);
      await sleep(AGAIN_MS, undefined, { signal: over.signal, ref: false });
    }
  })().catch(() => undefined);
  return async () => {
    over.abort();
    await done;
  };
}

const close = (handle: { close(): Promise<void> }): Promise<void> => handle.close();

async function pipesOf(tree: string, signal: AbortSignal): Promise<string[]> {
  const pipes: string[] = [];
  const walk = async (dir: string, isGit: boolean): Promise<void> => {
    signal.throwIfAborted();
    for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) await walk(path, isGit || entry.name === '.git');
      else if (entry.isFIFO() && (isGit || READ_BY_GIT.has(entry.name))) pipes.push(path);
    }
  };
  await walk(tree, false);
  return pipes;
}

const READ_BY_GIT = new Set(['.gitignore', '.gitattributes']);
