import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Desk, type Ended, ROOT } from './testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
  // A checkout with sources of its own and the packages of this one.
  mkdirSync(desk.path('checkout/apps/cli'), { recursive: true });
  cpSync(join(ROOT, 'bin'), desk.path('checkout/bin'), { recursive: true });
  for (const name of ['src', 'build.mjs', 'package.json'])
    cpSync(join(ROOT, 'apps/cli', name), desk.path('checkout/apps/cli', name), { recursive: true });
  for (const name of ['packages', 'node_modules']) symlinkSync(join(ROOT, name), desk.path('checkout', name));
  cpSync(join(ROOT, 'package-lock.json'), desk.path('checkout/package-lock.json'), { preserveTimestamps: true });
});
afterEach(() => desk.dispose());

function run(
  program: string,
  args: readonly string[],
  cwd = desk.dir,
  env: Record<string, string> = {},
): Promise<Ended & { pid: number | undefined }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...desk.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr, pid: child.pid }));
  });
}

const dist = () => desk.path('checkout/apps/cli/dist');

describe('bin/hangar', () => {
  it('builds itself when the bundle is missing, once for two calls at the same time', async () => {
    const both = await Promise.all([1, 2].map(() => run(desk.path('checkout/bin/hangar'), ['--version'])));
    for (const ended of both) expect(ended).toMatchObject({ code: 0, stdout: 'hangar 0.1.0\n' });
    expect(readdirSync(desk.path('checkout/.hangar'))).toEqual([]);
  });

  it('builds again when a source is newer, and not otherwise', async () => {
    await run(desk.path('checkout/bin/hangar'), ['--version']);
    const main = join(dist(), 'main.cjs');
    writeFileSync(main, "console.log('kept');");
    expect((await run(desk.path('checkout/bin/hangar'), [])).stdout).toBe('kept\n');
    const later = new Date(Date.now() + 60_000);
    utimesSync(desk.path('checkout/apps/cli/src/main.ts'), later, later);
    expect((await run(desk.path('checkout/bin/hangar'), ['--version'])).stdout).toBe('hangar 0.1.0\n');
  });

  it('runs through symbolic links, from any folder, without the sources', async () => {
    await run(desk.path('checkout/bin/hangar'), ['--version']);
    mkdirSync(desk.path('bin dir'));
    symlinkSync('../checkout/bin/hangar', desk.path('bin dir/one'));
    symlinkSync('one', desk.path('bin dir/hangar'));
    rmSync(desk.path('checkout/apps/cli/src'), { recursive: true });
    expect((await run(desk.path('bin dir/hangar'), ['--version'], '/')).stdout).toBe('hangar 0.1.0\n');
  });

  it('takes over from a set-up that was killed', async () => {
    mkdirSync(desk.path('checkout/.hangar'));
    writeFileSync(desk.path('checkout/.hangar/setup.lock'), '999999999\n');
    expect((await run(desk.path('checkout/bin/hangar'), ['--version'])).code).toBe(0);
    expect(existsSync(desk.path('checkout/.hangar/setup.lock'))).toBe(false);
  });

  it('becomes the server, so that signals reach it', async () => {
    await run(desk.path('checkout/bin/hangar'), ['--version']);
    mkdirSync(desk.path('checkout/apps/server/dist'), { recursive: true });
    writeFileSync(
      desk.path('checkout/apps/server/dist/main.mjs'),
      'console.log(process.pid, process.argv.slice(2).join(), Number.parseInt(process.versions.node, 10) >= 22);',
    );
    const ended = await run(desk.path('checkout/bin/hangar'), ['server', 'start']);
    expect(ended.stderr + ended.stdout).toBe(`${ended.pid} start true\n`);
    expect((await run(desk.path('checkout/bin/hangar'), ['server', 'admin-key'])).stdout).toContain(' admin-key ');
    expect((await run(desk.path('checkout/bin/hangar'), ['server', 'start', '--help'])).stdout).toContain(
      'hangar server start',
    );
  });

  it('says what is missing when there is no Node.js', async () => {
    mkdirSync(desk.path('tools'));
    for (const tool of ['sh', 'readlink', 'dirname', 'find', 'head'])
      symlinkSync(join('/usr/bin', tool), desk.path('tools', tool));
    chmodSync(desk.path('tools'), 0o755);
    const ended = await run('/bin/sh', [desk.path('checkout/bin/hangar'), '--version'], desk.dir, {
      PATH: desk.path('tools'),
    });
    expect(ended.code).toBe(4);
    expect(ended.stderr).toContain('needs Node.js 20.20 or newer');
  });
});
