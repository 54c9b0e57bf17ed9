import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { pino } from 'pino';
import { describe, test } from 'vitest';
import { unitSuite } from '../../testing/unit-suite.ts';
import { findBubblewrap } from './bubblewrap.ts';
import { createLocalDriver } from './index.ts';
import { unitName } from './unit-folder.ts';

const log = pino({ level: 'silent' });
const { found, ...rest } = await findBubblewrap(AbortSignal.timeout(20_000));

function suite(isolation: 'bubblewrap' | 'none'): void {
  unitSuite(`local, isolation ${isolation}`, process.execPath, async (desk) => {
    const dataDir = path.join(desk.dir, 'data');
    const options = { brought: desk.brought, dataDir };
    return {
      ...{ module: new URL('./index.ts', import.meta.url).href, factory: 'createLocalDriver', options },
      create: () => createLocalDriver({ ...options, log }),
      ...{ settings: { isolation }, image: null, limitsMemory: false, endsAnything: isolation === 'bubblewrap' },
      leftovers: async (key) => {
        const names = await readdir(path.join(dataDir, 'units')).catch(() => []);
        return names.filter((name) => name.startsWith(unitName(key)));
      },
      shown: async () => '',
    };
  });
}

suite('none');
if (found) suite('bubblewrap');
else describe.skip('local, isolation bubblewrap', () => test(`skipped: ${'why' in rest ? rest.why : ''}`, () => {}));
