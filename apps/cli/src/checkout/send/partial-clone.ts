import { HangarError } from '@hangar/contract/errors';
import type { Checkout } from '../checkout.ts';

/**
 * A partial clone fetches what it lacks when git needs it, file by file and with the person's own configuration. A run on this machine
 * copies without that, so all files of its commit are fetched before, at once.
 * @throws HangarError repo_unreachable
 */
export async function completeFiles({ git }: Checkout, commit: string, say: (line: string) => void): Promise<void> {
  const found = await git.attempt(['config', '--get-regexp', '^remote\\..*\\.promisor$']);
  const remotes = [...found.stdout.toString().matchAll(/^remote\.(.+)\.promisor true$/gm)].map(([, name = '']) => name);
  if (remotes.length === 0) return;
  const tell = (count: number) => say(`Fetching ${count} files that this partial clone lacks.`);
  let missing = await missingFrom(git, commit);
  if (missing.length > 0) tell(missing.length);
  let said = '';
  // Folders first, where they are missing too; then what is in them.
  for (const remote of remotes)
    for (let round = 0; round < 2 && missing.length > 0; round++) {
      const fetched = await git.attempt(
        [
          ...['-c', 'fetch.negotiationAlgorithm=noop', 'fetch', '--quiet', '--no-tags', '--no-write-fetch-head'],
          ...['--recurse-submodules=no', '--filter=blob:none', '--stdin', remote],
        ],
        { input: `${missing.join('\n')}\n` },
      );
      if (fetched.code !== 0) said = fetched.stderr.trim().split('\n').at(-1) ?? '';
      missing = await missingFrom(git, commit);
    }
  if (missing.length > 0)
    throw new HangarError('repo_unreachable', {
      message: `This checkout is a partial clone: ${missing.length} files of ${commit.slice(0, 10)} are missing and could not be fetched.`,
      wayOut: `See that git fetch ${remotes[0]} works, then run this again.`,
      ...(said === '' ? {} : { details: { reason: said } }),
    });
}

async function missingFrom(git: Checkout['git'], commit: string): Promise<string[]> {
  const listed = await git.attempt(['rev-list', '--objects', '--no-walk', '--missing=print', commit]);
  return [...listed.stdout.toString().matchAll(/^\?([0-9a-f]{40,64})$/gm)].map(([, id = '']) => id);
}
