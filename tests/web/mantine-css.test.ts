import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const WEB = join(import.meta.dirname, '../../apps/web/src');
const STYLES = join(import.meta.dirname, '../../node_modules/@mantine/core/styles');

it('the styles of every Mantine component in use are loaded', () => {
  const sheet = readFileSync(join(WEB, 'mantine.css'), 'utf8');
  const names = new Set<string>();
  for (const file of globSync('**/*.{ts,tsx}', { cwd: WEB })) {
    const source = readFileSync(join(WEB, file), 'utf8');
    for (const [, list] of source.matchAll(/import \{([^}]*)\} from '@mantine\/core'/g))
      for (const name of (list ?? '').split(',')) names.add(name.trim());
  }
  const missing = [...names].filter(
    (name) => /^[A-Z]\w+$/.test(name) && existsSync(join(STYLES, `${name}.css`)) && !sheet.includes(`/${name}.css"`),
  );
  expect(missing).toEqual([]);
});
