import { constants } from 'node:fs';
import { copyFile, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AGENT_EVENTS } from '@hangar/contract';

const MAX_FILES = 200;
const MAX_DEPTH = 8;

export interface FoundArtifact {
  /** Safe as a name anywhere: letters, digits, dot, dash and underscore. */
  readonly name: string;
  readonly file: string;
  readonly sizeBytes: number;
}

/**
 * Copies what the agent put into its artifacts folder to `into`. Only plain files count: a link could lead anywhere, a pipe
 * would wait for ever. `skip` is told what is left out and why.
 */
export async function gatherArtifacts(
  from: string,
  into: string,
  maxBytes: number,
  skip: (what: string) => void,
): Promise<FoundArtifact[]> {
  const found: FoundArtifact[] = [];
  const names = new Set(['diff', AGENT_EVENTS]);
  let left = maxBytes;
  const walk = async (dir: string, prefix: string, depth: number): Promise<void> => {
    const entries = await orWhy(readdir(dir, { withFileTypes: true }));
    if (typeof entries === 'string') {
      skip(`${prefix || 'the whole folder'}: cannot be read (${entries})`);
      return;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(dir, entry.name);
      const label = prefix + entry.name;
      if (entry.isDirectory()) {
        if (depth < MAX_DEPTH) await walk(path, `${label}/`, depth + 1);
        else skip(`${label}: too deep`);
      } else if (!entry.isFile()) skip(`${label}: not a plain file`);
      else if (found.length >= MAX_FILES) skip(`${label}: more than ${MAX_FILES} files`);
      else {
        const there = await orWhy(lstat(path));
        if (typeof there === 'string') {
          skip(`${label}: cannot be read (${there})`);
          continue;
        }
        const { size } = there;
        if (size > left) {
          skip(`${label}: ${size} bytes are more than the plan has left`);
          continue;
        }
        const name = freeName(label, names);
        const file = join(into, `artifact-${found.length + 1}`);
        if (!(await copyPlain(path, file))) {
          skip(`${label}: cannot be read`);
          continue;
        }
        const copied = await lstat(file);
        left -= copied.size;
        names.add(name);
        found.push({ name, file, sizeBytes: copied.size });
      }
    }
  };
  const top = await lstat(from).catch(() => null);
  if (top?.isDirectory()) await walk(from, '', 0);
  return found;
}

/** What the file system gives, or the code of its error: one place that cannot be read is no reason to lose the rest. */
function orWhy<T extends object>(asked: Promise<T>): Promise<T | string> {
  return asked.catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
}

async function copyPlain(from: string, to: string): Promise<boolean> {
  try {
    // Fails on a link that took the file's place since it was listed.
    const handle = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    await handle.close();
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    return true;
  } catch {
    return false;
  }
}

function freeName(label: string, taken: ReadonlySet<string>): string {
  const plain =
    label
      .replaceAll('/', '__')
      .replace(/[^A-Za-z0-9._-]/g, '_')
      .replace(/^[.-]+/, '_')
      .slice(-100) || 'file';
  for (let n = 1; ; n++) {
    const name = n === 1 ? plain : `${n}_${plain}`;
    if (!taken.has(name)) return name;
  }
}
