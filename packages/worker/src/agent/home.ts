import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Makes git usable for the agent in its private home: a name to commit under. */
export async function writeHome(home: string): Promise<void> {
  const config = [
    '[user]',
    '\tname = Hangar',
    '\temail = hangar@localhost',
    '[init]',
    '\tdefaultBranch = main',
    '[safe]',
    '\tdirectory = *',
    '',
  ].join('\n');
  await writeFile(join(home, '.gitconfig'), config, { mode: 0o600 });
}
