import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HangarError, PHASE_LIMITS, TREE_FILES, type TreeOrder } from '@hangar/contract';
import { within } from '../deadline.ts';
import type { Git } from '../git/git.ts';
import { ALL, changesIn, fieldsFor, fieldsOf, indexInfo, isSubmodule } from '../git/paths.ts';
import { makePlaces, type Places } from '../places.ts';
import type { CredentialHelper } from '../source/credential.ts';
import { type Base, diskFull, lastLine, prepareTree, type Source } from '../source/source.ts';

export interface TreeCall {
  readonly git: Git;
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly helper: CredentialHelper;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** The files of a job as it left them: its base, as jobs get it, and on top of it what its agent changed, not committed. */
export async function prepareForPerson(
  order: Extract<TreeOrder, { kind: 'prepare' }>,
  o: TreeCall,
): Promise<Base & { readonly path: string }> {
  const places = await makePlaces(o.dir);
  const { repo, credential } = order;
  const file = (name: keyof typeof TREE_FILES) => join(o.dir, TREE_FILES[name]);
  const limit = within([o.signal], PHASE_LIMITS.cloningSeconds * 1000, () => new HangarError('cloning_too_long'));
  try {
    const base = await prepareTree(sourceOf(), {
      ...{ git: o.git, places, helper: o.helper, say: o.say, signal: limit.signal },
      reach: { allowLocal: repo.allowLocal, env: o.env },
      path: o.env.PATH ?? '/usr/bin:/bin',
      branch: `hangar/${order.jobId}`,
    });
    if (order.diff) await applyDiff(file('diff'), base, { ...o, places, signal: limit.signal });
    for (const name of ['bundle', 'patch', 'diff'] as const) await rm(file(name), { force: true });
    return { ...base, path: places.tree };
  } finally {
    limit.done();
  }

  function sourceOf(): Source {
    if (!repo.bundle) {
      if (repo.url === null) throw new HangarError('repo_required');
      return { kind: 'remote', url: repo.url, ref: repo.ref, commit: repo.commit, credential };
    }
    if (repo.commit === null)
      throw new HangarError('bundle_invalid', { message: 'The bundle comes without a commit.' });
    return {
      ...{ kind: 'bundle', url: repo.url, credential, commit: repo.commit, bundleFile: file('bundle') },
      patchFile: repo.patch ? file('patch') : null,
    };
  }
}

async function applyDiff(
  diff: string,
  base: Base,
  o: { git: Git; places: Places; signal: AbortSignal; say: (text: string) => void },
): Promise<void> {
  // One that changed nothing is empty.
  if ((await stat(diff)).size === 0) return;
  const { store, tree, run } = o.places;
  const ours = {
    signal: o.signal,
    cwd: tree,
    env: { GIT_DIR: store, GIT_WORK_TREE: tree, GIT_INDEX_FILE: join(run, 'index') },
  };
  const applied = await o.git.try(['apply', '--index', '--whitespace=nowarn', '--', diff], ours);
  if (applied.code !== 0)
    throw (
      diskFull(applied.errors) ??
      new HangarError('tree_not_prepared', {
        message: `The diff of the job could not be applied: ${lastLine(applied.errors)}`,
      })
    );
  o.say('Applied what the job had changed');
  await recordHidden(o.git, base, ours, join(tree, '.git'));
}

/**
 * What a look at files alone would not bring into a diff again is staged in the tree's own repository: ignored files that the agent had
 * committed, and commits of submodules.
 */
async function recordHidden(
  git: Git,
  base: Base,
  ours: { signal: AbortSignal; cwd: string; env: Record<string, string> },
  gitDir: string,
): Promise<void> {
  const raw = ['diff-index', ...ALL, '--cached', '--raw', '-z', '--no-renames', '--abbrev=64', base.tree, '--'];
  const changes = changesIn(await git.run(raw, ours)).filter(({ status }) => status !== 'D');
  const added = changes.filter(({ status }) => status === 'A').map(({ path }) => path);
  const args = ['check-ignore', '--no-index', '-z', '--stdin'];
  const ignored = new Set(
    added.length === 0 ? [] : fieldsOf((await git.try(args, { ...ours, input: fieldsFor(added) })).out),
  );
  const hidden = changes.filter(({ path, to }) => isSubmodule(to) || ignored.has(path));
  if (hidden.length === 0) return;
  await git.run(['update-index', '--add', '--replace', '-z', '--index-info'], {
    ...{ signal: ours.signal, cwd: ours.cwd, env: { GIT_DIR: gitDir, GIT_WORK_TREE: ours.cwd } },
    input: indexInfo(hidden.map(({ path, to }) => [path, to] as const)),
  });
}
