import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { execa } from 'execa';
import { AGENTS } from '../../packages/contract/src/agents.ts';
import { ROOT } from '../e2e/server-process.ts';

const INSTALL_MS = 240_000;
const DIR = join(ROOT, '.hangar/agents');

export type Installed = { readonly dir: string } | { readonly missing: string };

/**
 * The agent's program in the release its preset was proved with, from the npm registry, once: what was installed before is
 * found again. `dir` holds it as bin/<name>. The reason when it cannot be installed here.
 */
export async function installAgent(name: string): Promise<Installed> {
  const proved = AGENTS.find((agent) => agent.name === name)?.proved;
  if (!proved) return { missing: `${name} is not proved` };
  const dir = join(DIR, `${name}-${proved.version}`);
  const done = join(dir, 'installed');
  if (!existsSync(done)) {
    mkdirSync(join(dir, 'bin'), { recursive: true });
    const tried = await execa(
      'npm',
      // Two of them are a script until their install script has put the real program there.
      [
        ...['install', '--prefix', dir, '--no-audit', '--no-fund', '--ignore-scripts=false'],
        `${proved.npm}@${proved.version}`,
      ],
      { reject: false, timeout: INSTALL_MS, all: true, cwd: dir },
    );
    if (tried.exitCode !== 0)
      return { missing: `npm cannot install ${proved.npm}: ${tried.all.trim().split('\n').at(-1)?.slice(0, 200)}` };
    const programs = join(dir, 'node_modules/.bin');
    if (!readdirSync(programs).includes(name)) return { missing: `${proved.npm} brings no program ${name}` };
    const said = await execa(join(programs, name), ['--version'], { reject: false, timeout: 60_000, all: true });
    if (said.exitCode !== 0 || !said.stdout.includes(proved.version))
      return { missing: `${name} does not run here: ${said.all.trim().split('\n')[0]?.slice(0, 200)}` };
    symlinkSync(relative(join(dir, 'bin'), join(programs, name)), join(dir, 'bin', name));
    writeFileSync(done, `${proved.npm}@${proved.version}\n`);
  }
  return readFileSync(done, 'utf8').includes(proved.version) ? { dir } : { missing: `${dir} holds something else` };
}

/** Whether jobs that run as another user can read a folder of this checkout. */
export function othersCanRead(dir: string): boolean {
  for (let at = dir; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o005) !== 0o005) return false;
    if (at === dirname(at)) return true;
  }
}
