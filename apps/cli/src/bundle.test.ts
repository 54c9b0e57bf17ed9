import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { FakeServer } from './testing/fake-server.ts';
import { Desk, ROOT } from './testing/hangar.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const server = new FakeServer();
const bundle = mkdtempSync(join(tmpdir(), 'hangar-bundle-'));
const main = join(bundle, 'main.cjs');
let desk: Desk;
beforeAll(async () => {
  execFileSync(process.execPath, [join(ROOT, 'apps/cli/build.mjs'), bundle]);
  await server.start();
  desk = new Desk({ HANGAR_SERVER: server.url, HANGAR_TOKEN: server.apiKey });
});
afterAll(async () => {
  await server.stop();
  desk.dispose();
  rmSync(bundle, { recursive: true, force: true });
});

test('what people type all day is read from two files', async () => {
  const id = server.addJob();
  const noted = desk.path('noted.json');
  const note = desk.write(
    'note.cjs',
    `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(noted)}, JSON.stringify(Object.keys(require.cache))));`,
  );
  const filesOf = async (...args: string[]) => {
    const ended = await desk.shell([process.execPath, '--require', note, main, ...args].join(' ')).ended;
    expect(ended.code, ended.stderr).toBe(0);
    const files: string[] = JSON.parse(readFileSync(noted, 'utf8'));
    return files.map((file) => basename(file)).filter((file) => file !== 'note.cjs');
  };
  expect(await filesOf('--version')).toEqual(['main.cjs']);
  for (const args of [['--help'], ['status', id], ['jobs']])
    expect(await filesOf(...args), args.join(' ')).toEqual(['main.cjs', 'program.cjs']);
});

test('every part finds the parts it needs', () => {
  const parts = readdirSync(join(bundle, 'chunks')).filter((name) => name.endsWith('.cjs'));
  expect(parts.length).toBeGreaterThan(50);
  const all = join(bundle, 'all.cjs');
  writeFileSync(all, parts.map((name) => `require('./chunks/${name}');`).join('\n'));
  execFileSync(process.execPath, [all]);
});
