import type { DiffFile } from './parse-diff.ts';

export interface DiffFolder {
  readonly name: string;
  readonly path: string;
  readonly folders: readonly DiffFolder[];
  readonly files: readonly DiffFile[];
}

interface Growing {
  name: string;
  path: string;
  folders: Map<string, Growing>;
  files: DiffFile[];
}

/** Files by folder; a folder that holds nothing but a folder is drawn as one with it (`src/main/java`). */
export function treeOf(files: readonly DiffFile[]): DiffFolder {
  const root: Growing = { name: '', path: '', folders: new Map(), files: [] };
  for (const file of files) {
    const parts = file.path.split('/');
    let folder = root;
    for (const part of parts.slice(0, -1)) {
      const path = folder.path === '' ? part : `${folder.path}/${part}`;
      const next = folder.folders.get(part) ?? { name: part, path, folders: new Map(), files: [] };
      folder.folders.set(part, next);
      folder = next;
    }
    folder.files.push(file);
  }
  return { ...grown(root), name: '' };
}

function grown(folder: Growing): DiffFolder {
  const only = [...folder.folders.values()][0];
  if (folder.path !== '' && folder.files.length === 0 && folder.folders.size === 1 && only !== undefined)
    return grown({ ...only, name: `${folder.name}/${only.name}` });
  const byName = (a: { name: string }, b: { name: string }) =>
    a.name.localeCompare(b.name, undefined, { numeric: true });
  return {
    name: folder.name,
    path: folder.path,
    folders: [...folder.folders.values()].map(grown).sort(byName),
    files: folder.files.toSorted((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true })),
  };
}

/** Files in the order in which the tree shows them. */
export const inTreeOrder = (folder: DiffFolder): DiffFile[] => [
  ...folder.folders.flatMap(inTreeOrder),
  ...folder.files,
];
