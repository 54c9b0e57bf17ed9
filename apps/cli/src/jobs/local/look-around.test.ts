import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readSettings } from '../../settings.ts';
import { recordsElsewhere } from './look-around.ts';

vi.setConfig({ testTimeout: 60_000 });

let configDir: string;
beforeAll(() => {
  configDir = mkdtempSync(join(tmpdir(), 'hangar-look-'));
  mkdirSync(join(configDir, 'runs'));
  writeFileSync(join(configDir, 'runs', 'other.json'), '{"gitFolder":"/other/.git"}');
});
afterAll(() => rmSync(configDir, { recursive: true, force: true }));

/** A process in the place of the one that looks. */
const looking = (script: string, signal = new AbortController().signal) => ({
  self: ['sh', '-c', script],
  settings: readSettings({ PATH: process.env.PATH, HANGAR_CONFIG_DIR: configDir }, '/'),
  signal,
});
const record = { value: { id: 'l_one' }, changedMs: 1, folder: '/app/.git/hangar/runs/l_one' };

describe('a look at other places', () => {
  it('counts what has answered when one does not', async () => {
    const found = await recordsElsewhere(looking(`echo '${JSON.stringify([record])}'; exec sleep 3600`), null);
    expect(found).toEqual([record]);
  });

  it('takes no process where no other place is noted', async () => {
    const alone = { ...looking(`echo '${JSON.stringify([record])}'`), settings: readSettings({}, '/nowhere') };
    expect(await recordsElsewhere(alone, null)).toEqual([]);
  });

  it('is over when the command is stopped', async () => {
    const stop = new AbortController();
    const found = recordsElsewhere(looking('echo []; while :; do echo []; sleep 1; done', stop.signal), null);
    void sleep(500).then(() => stop.abort(new Error('stopped')));
    await expect(found).rejects.toThrow('stopped');
  });

  it('makes nothing of what is no answer', async () => {
    expect(await recordsElsewhere(looking('echo nonsense; exit 3'), null)).toEqual([]);
    expect(await recordsElsewhere({ ...looking(''), self: ['/nowhere/hangar'] }, null)).toEqual([]);
  });
});
