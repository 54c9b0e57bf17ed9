import { isUtf8 } from 'node:buffer';
import { decodePath, encodePath, showPath } from '@hangar/contract';

/** The fields of `-z` output, without loss whatever bytes are in them. */
export function fieldsOf(out: Buffer): string[] {
  const fields = isUtf8(out) ? out.toString('utf8').split('\0') : decodeEach(out);
  if (fields.at(-1) === '') fields.pop();
  return fields;
}

function decodeEach(out: Buffer): string[] {
  const fields: string[] = [];
  for (let at = 0; at < out.length; ) {
    const end = out.indexOf(0, at);
    const stop = end === -1 ? out.length : end;
    fields.push(decodePath(out.subarray(at, stop)));
    at = stop + 1;
  }
  return fields;
}

/** What `-z --stdin` reads. */
export const fieldsFor = (fields: Iterable<string>): Buffer =>
  Buffer.concat([...fields].flatMap((field) => [encodePath(field), END]));

const END = Buffer.from([0]);

/** A path as the file system takes it. */
export const onDisk = (...parts: readonly string[]): Buffer => Buffer.from(encodePath(parts.join('/')));

/** A path for people, on one line. */
export const readable = (path: string): string =>
  showPath(path).replace(CONTROLS, (char) => NAMED[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };

const NAMED_MOST = 5;

/** `a, b and 3 more` */
export const listed = (paths: Iterable<string>): string => {
  const all = [...paths];
  const named = all.slice(0, NAMED_MOST).map(readable).join(', ');
  return all.length > NAMED_MOST ? `${named} and ${all.length - NAMED_MOST} more` : named;
};

/** An entry of a tree or an index. */
export interface Entry {
  readonly mode: string;
  readonly id: string;
}

export const isSubmodule = ({ mode }: Entry): boolean => mode === '160000';

export interface Change {
  readonly path: string;
  readonly from: Entry;
  readonly to: Entry;
  /** A, D, M, T or U. */
  readonly status: string;
}

/** For every diff of git's: also references to submodules that .gitmodules says not to look at. */
export const ALL = ['--ignore-submodules=none'] as const;

/** `--raw -z --no-renames`: `:mode mode id id status`, then the path. */
export function changesIn(out: Buffer): Change[] {
  const fields = fieldsOf(out);
  const changes: Change[] = [];
  for (let n = 0; n + 1 < fields.length; n += 2) {
    const [from = '', to = '', fromId = '', toId = '', status = ''] = (fields[n] ?? '').slice(1).split(' ');
    const path = fields[n + 1] ?? '';
    changes.push({ path, from: { mode: from, id: fromId }, to: { mode: to, id: toId }, status });
  }
  return changes;
}

/** What `update-index -z --index-info` reads. */
export const indexInfo = (entries: Iterable<readonly [path: string, entry: Entry]>): Buffer =>
  fieldsFor([...entries].map(([path, { mode, id }]) => `${mode} ${id}\t${path}`));

/** Whether a file among some takes the place of a folder that holds some of the others, or the other way round. */
export function isInWay(some: readonly string[], others: readonly string[]): boolean {
  if (some.length === 0 || others.length === 0) return false;
  const [folders, otherFolders] = [foldersAbove(some), foldersAbove(others)];
  return others.some((path) => folders.has(path)) || some.some((path) => otherFolders.has(path));
}

/** Each is come by once, however deep it is and however many paths are below: those above a known one are known. */
function foldersAbove(paths: readonly string[]): Set<string> {
  const folders = new Set<string>();
  for (const path of paths)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const folder = path.slice(0, end);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  return folders;
}
