import { type Git, joinNull, splitNull } from '../git.ts';

/** What a tree or an index holds at a path. */
export interface Entry {
  readonly mode: string;
  readonly oid: string;
}

export interface Change {
  readonly path: string;
  readonly before: Entry | null;
  readonly after: Entry | null;
}

/** Where both sides changed the same: `after` of its change holds the markers. */
export interface Conflict {
  readonly path: string;
  readonly stages: readonly (Entry & { readonly stage: number })[];
}

/** Git, and the environment that says which index it means. */
interface Place {
  readonly git: Git;
  readonly env: Readonly<Record<string, string>>;
}

/** What an index holds in more than one stage. */
export async function conflictsIn({ git, env }: Place): Promise<Conflict[]> {
  const byPath = new Map<string, Conflict['stages']>();
  for (const listed of splitNull(await git.bytes(['ls-files', '--unmerged', '-z'], { env }))) {
    const at = listed.indexOf('\t');
    const [mode = '', oid = '', stage = ''] = listed.slice(0, at).split(' ');
    const path = listed.slice(at + 1);
    byPath.set(path, [...(byPath.get(path) ?? []), { mode, oid, stage: Number(stage) }]);
  }
  return [...byPath].map(([path, stages]) => ({ path, stages }));
}

/** Also references to submodules that .gitmodules or the configuration says not to look at. */
export const ALL = ['--ignore-submodules=none'] as const;

/** How an index differs from a tree. */
export async function changesIn({ git, env }: Place, from: string): Promise<Change[]> {
  const raw = splitNull(
    await git.bytes(['diff-index', ...ALL, '--cached', '--raw', '--no-abbrev', '--no-renames', '-z', from], { env }),
  );
  const changes: Change[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [oldMode = '', newMode = '', oldId = '', newId = ''] = (raw[at] ?? '').slice(1).split(' ');
    const entry = (mode: string, oid: string): Entry | null => (/^0+$/.test(mode) ? null : { mode, oid });
    changes.push({ path: raw[at + 1] ?? '', before: entry(oldMode, oldId), after: entry(newMode, newId) });
  }
  return changes;
}

/** A line of `update-index --index-info` for each path: what is there from now on. */
export const indexInfo = (changes: readonly Pick<Change, 'path' | 'after'>[], idLength: number): Uint8Array =>
  joinNull(
    changes.map(({ path, after }) =>
      after === null ? `0 ${'0'.repeat(idLength)}\t${path}` : `${after.mode} ${after.oid}\t${path}`,
    ),
  );

/** Conflicts as if ours had won. */
export const unchangedIn = (conflicts: readonly Conflict[]): Change[] =>
  conflicts.map(({ path, stages }) => {
    const ours = stages.find(({ stage }) => stage === 2);
    const entry = ours === undefined ? null : { mode: ours.mode, oid: ours.oid };
    return { path, before: entry, after: entry };
  });
