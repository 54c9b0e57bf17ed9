import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** The private folder of one run. Only `tree`, `home` and `artifacts` are meant for the agent. */
export interface Places {
  /** Objects of the base and of all collected diffs; the agent's repository borrows from it. */
  readonly store: string;
  /** The work tree with a repository of its own. */
  readonly tree: string;
  readonly home: string;
  readonly artifacts: string;
  /** Spec, scripts, index, diffs on their way. */
  readonly run: string;
  readonly gitHome: string;
}

export async function makePlaces(folder: string): Promise<Places> {
  const places = placesIn(folder);
  for (const made of [resolve(folder), places.home, places.artifacts, places.run, places.gitHome])
    await mkdir(made, { recursive: true, mode: 0o700 });
  return places;
}

/** Those that were made there. */
export function placesIn(folder: string): Places {
  const dir = resolve(folder);
  return {
    store: join(dir, 'store'),
    tree: join(dir, 'tree'),
    home: join(dir, 'home'),
    artifacts: join(dir, 'artifacts'),
    run: join(dir, 'run'),
    gitHome: join(dir, 'run', 'git-home'),
  };
}
