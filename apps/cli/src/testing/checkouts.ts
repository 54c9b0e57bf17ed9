import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { HangarError } from '@hangar/contract';
import { type Checkout, findCheckout, needCheckout } from '../checkout/checkout.ts';
import type { Incoming } from '../checkout/pull/pull.ts';
import type { Desk } from './hangar.ts';

export const openCheckout = async (desk: Desk, folder: string, env = desk.env): Promise<Checkout> =>
  needCheckout(await findCheckout(desk.path(folder), { signal: new AbortController().signal, env }));

/** Everything that can be seen of a work tree: files byte for byte with their names and modes, index entries, status. */
export function pictureOf(desk: Desk, folder: string): string {
  const root = desk.path(folder);
  const files: string[] = [];
  const walk = (dir: Buffer) => {
    for (const name of readdirSync(dir, { encoding: 'buffer' }).sort(Buffer.compare)) {
      if (name.equals(Buffer.from('.git'))) continue;
      const path = Buffer.concat([dir, Buffer.from('/'), name]);
      const shown = path.toString('latin1').slice(Buffer.byteLength(root) + 1);
      const found = lstatSync(path);
      if (found.isDirectory()) {
        files.push(`d ${shown}`);
        walk(path);
      } else if (found.isSymbolicLink()) files.push(`l ${shown} ${readlinkSync(path, 'buffer').toString('latin1')}`);
      else {
        const hash = createHash('sha1').update(readFileSync(path)).digest('hex');
        files.push(`f ${(found.mode & 0o777).toString(8)} ${shown} ${hash}`);
      }
    }
  };
  walk(Buffer.from(root));
  return [
    ...files,
    desk.git(folder, 'ls-files', '--stage', '-v'),
    desk.git(folder, 'status', '--porcelain=v1', '--untracked-files=all'),
    desk.git(folder, 'stash', 'list'),
  ].join('\n');
}

let made = 0;

/** The diff that changes make on top of a repository, as a worker collects it: without the filters of this machine. */
export function diffOfJob(desk: Desk, folder: string, change: (root: string) => void): Incoming {
  const copy = `${folder}-job`;
  const env = { ...desk.env, GIT_CONFIG_GLOBAL: '/dev/null' };
  execFileSync('git', ['clone', '--quiet', desk.path(folder), desk.path(copy)], { env });
  change(desk.path(copy));
  const git = (...args: string[]) => execFileSync('git', args, { cwd: desk.path(copy), env, maxBuffer: 1e9 });
  git('add', '--all');
  const file = desk.write(`${copy}-${made++}.diff`, git('diff', '--cached', '--binary', '--full-index', 'HEAD'));
  const baseCommit = git('rev-parse', 'HEAD').toString().trim();
  rmSync(desk.path(copy), { recursive: true, force: true });
  return { jobId: 'j_test00', title: 'Change it', file, baseCommit, sent: null };
}

/** The code of what was thrown; null when nothing was. */
export const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => (error instanceof HangarError ? error.code : error),
  );
