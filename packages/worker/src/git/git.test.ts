import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tempFolders } from '../testing/fixtures.ts';
import { openGit } from './git.ts';

const temp = tempFolders();
afterAll(temp.clean);

test('a git that was killed is told as such, not as a fault of what it worked on', async () => {
  const bin = temp.make();
  writeFileSync(
    join(bin, 'git'),
    '#!/bin/sh\ncase "$*" in *bundle*) echo "error: index-pack died of signal 9" >&2; exit 1;; esac\nkill -9 $$\n',
  );
  chmodSync(join(bin, 'git'), 0o755);
  const git = openGit({ home: temp.make(), base: { PATH: `${bin}:/usr/bin:/bin` } });
  const call = { signal: AbortSignal.timeout(10_000) };
  await expect(git.try(['bundle', 'unbundle', 'x'], call)).rejects.toMatchObject({ code: 'git_killed' });
  await expect(git.run(['init'], call)).rejects.toMatchObject({ code: 'git_killed' });
});
