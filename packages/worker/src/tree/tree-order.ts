import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type HangarError, TREE_ORDER, type TreeOrder, type TreeWord } from '@hangar/contract';
import { openGit } from '../git/git.ts';
import { Masker } from '../mask/mask.ts';
import { secretsOf } from '../mask/secrets.ts';
import { failureOf } from '../outcome.ts';
import { withAuthorities } from '../server/authorities.ts';
import type { CredentialHelper } from '../source/credential.ts';
import { makeDiff } from './diff-tree.ts';
import { prepareForPerson } from './prepare-tree.ts';

/** The order in the environment, taken out of it before anything else is started; null: there is none. */
export function takeTreeOrder(env: NodeJS.ProcessEnv): TreeOrder | null {
  const text = env[TREE_ORDER];
  delete env[TREE_ORDER];
  return text === undefined ? null : (JSON.parse(text) as TreeOrder);
}

/** Carries out an order about a tree, and tells of it line by line. Answers whether it was done. */
export async function carryOutTreeOrder(
  order: TreeOrder,
  o: {
    readonly dir: string;
    readonly env: NodeJS.ProcessEnv;
    readonly helper: CredentialHelper;
    readonly secrets: readonly string[];
    readonly signal: AbortSignal;
    readonly tell: (word: TreeWord) => void;
  },
): Promise<boolean> {
  const masker = new Masker();
  for (const secret of o.secrets) masker.add(secret);
  if (order.kind === 'prepare') for (const secret of secretsOf({ ...order, env: {} })) masker.add(secret);
  const masked = (text: string, most: number) => masker.mask(text).slice(0, most);
  try {
    const home = join(o.dir, 'run', 'git-home');
    await mkdir(home, { recursive: true, mode: 0o700 });
    const git = openGit({ home, base: await withAuthorities(o.env, home) });
    if (order.kind === 'prepare') {
      const say = (text: string) => o.tell({ say: masked(text, 2_000) });
      const { path, commit, tree } = await prepareForPerson(order, { ...o, git, say });
      o.tell({ prepared: { path, commit, tree } });
    } else {
      const { collected, path, commit } = await makeDiff(order, { ...o, git });
      const { file, sha256, stat } = collected;
      o.tell({ made: { ...stat, file, path, commit, sha256 } });
    }
    return true;
  } catch (error) {
    const { code, message, wayOut } = failureOf(error as HangarError, 'internal');
    o.tell({ failure: { code, message: masked(message, 2_000), wayOut } });
    return false;
  }
}
