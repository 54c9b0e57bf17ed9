import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT, run } from '../../scripts/run.ts';

/** Each breaks one rule that a linter holds for those who use a certain library. */
const WRONG: Readonly<Record<string, string>> = {
  'apps/web/src/deps.tsx':
    "import { useEffect } from 'react';\n\nexport const useIt = (n: number) => useEffect(() => console.log(n), []);\n",
  'apps/web/src/hook.tsx':
    "import { useState } from 'react';\n\nexport const useIt = (n: number) => (n > 1 ? useState(0) : null);\n",
  'tests/one.test.ts': "import { it } from 'vitest';\n\nit.only('is alone', () => {});\n",
};

it('lint asks for the same wherever the clone lies, below a folder that linters pass over too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hangar-lint-'));
  try {
    const clone = join(folder, '.cache/clone');
    for (const [path, text] of Object.entries(WRONG)) {
      await mkdir(dirname(join(clone, path)), { recursive: true });
      await writeFile(join(clone, path), text);
    }
    await copyFile(join(ROOT, 'biome.json'), join(clone, 'biome.json'));
    const biome = join(ROOT, 'node_modules/.bin/biome');
    const { output } = await run(biome, ['lint', '--vcs-enabled=false', '--colors=off', '.'], {
      cwd: clone,
      timeoutMs: 60_000,
    });
    const rules = [...output.matchAll(/^(\S+?):.* lint\/(\S+)/gm)].map(([, path, rule]) => `${path} ${rule}`);
    expect(rules.sort()).toEqual([
      'apps/web/src/deps.tsx correctness/useExhaustiveDependencies',
      'apps/web/src/hook.tsx correctness/useHookAtTopLevel',
      'tests/one.test.ts suspicious/noFocusedTests',
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 90_000);
