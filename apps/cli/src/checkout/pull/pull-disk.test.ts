import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { asHangarError } from '../../terminal/failure.ts';
import { diffOfJob, openCheckout, pictureOf } from '../../testing/checkouts.ts';
import { Desk } from '../../testing/hangar.ts';
import { checkPull, type Incoming, pullIntoBranch, pullIntoTree } from './pull.ts';
import { undoPull } from './undo.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

const KB = 1024;
const APP = 'small/app';
/** Tried for real: root in a container may not mount either. */
function canMount(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'hangar-mount-'));
  try {
    if (spawnSync('mount', ['-t', 'tmpfs', 'try', dir]).status !== 0) return false;
    return spawnSync('umount', [dir]).status === 0;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
const whyNot = canMount() ? null : 'a disk of its own can only be mounted as root';

let desk: Desk;
let mounted = false;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => {
  if (mounted) execFileSync('umount', ['--lazy', desk.path('small')]);
  mounted = false;
  desk.dispose();
});

/** A checkout on a disk of a few MB, with a file that the diff makes larger and one that it adds. */
function onSmallDisk(): Incoming {
  mkdirSync(desk.path('small'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'small', desk.path('small')]);
  mounted = true;
  desk.repo(APP, { 'a.txt': `${'a'.repeat(200 * KB)}\n`, 'b.txt': 'b\n' });
  const incoming = diffOfJob(desk, APP, (root) => {
    writeFileSync(join(root, 'a.txt'), `${'a'.repeat(200 * KB)}\n${'b'.repeat(100 * KB)}\n`);
    writeFileSync(join(root, 'new.txt'), 'n'.repeat(100 * KB));
  });
  return incoming;
}

const fillers = () => desk.path('small/filler');
/** Fills the disk until this much is left. */
function fillBut(left: number): void {
  const file = openSync(fillers(), 'a');
  const block = Buffer.alloc(4 * KB);
  try {
    for (;;) writeSync(file, block);
  } catch {
    // Full.
  }
  closeSync(file);
  if (left > 0) truncateSync(fillers(), Math.max(0, statSync(fillers()).size - left));
}
const free = () => rmSync(fillers(), { force: true });
const remount = (how: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${how}`, desk.path('small')]);

async function errorOf(work: Promise<unknown>) {
  try {
    await work;
    return null;
  } catch (thrown) {
    const { code, message, wayOut, details } = asHangarError(thrown);
    return { code, message, wayOut, details };
  }
}

const open = () => openCheckout(desk, APP);
const locks = () => readdirSync(desk.path(APP, '.git/hangar')).filter((name) => name.includes('.lock'));

describe.skipIf(whyNot !== null)(`a disk that takes nothing${whyNot === null ? '' : `: ${whyNot}`}`, () => {
  it('is full at any point of a pull: it says so, and all is as it was, or one undo away', async () => {
    const incoming = onSmallDisk();
    const before = pictureOf(desk, APP);
    const seen = new Set<string>();
    for (let left = 0; left <= 1024 * KB; left = left < 64 * KB ? left + 8 * KB : left + 96 * KB)
      for (const stash of [false, true]) {
        if (stash) desk.write(`${APP}/b.txt`, 'mine\n');
        const here = stash ? pictureOf(desk, APP) : before;
        fillBut(left);
        const error = await errorOf(pullIntoTree(await open(), incoming, { stash }));
        seen.add(error?.code ?? 'applied');
        if (error !== null)
          expect(error, `${left} left: ${JSON.stringify(error)}`).toMatchObject({ code: 'disk_full' });
        expect(locks()).toEqual([]);
        free();
        if (error === null || pictureOf(desk, APP) !== here) await undoPull(await open());
        expect(pictureOf(desk, APP), `${left} left`).toBe(here);
        expect((await errorOf(undoPull(await open())))?.code).toBe('nothing_to_undo');
        if (stash) desk.git(APP, 'checkout', '--quiet', 'b.txt');
      }
    expect([...seen].sort()).toEqual(['applied', 'disk_full']);
  });

  it('is full while a pull is taken back: it says so, and undo goes on where it was', async () => {
    const incoming = onSmallDisk();
    const before = pictureOf(desk, APP);
    for (const left of [0, 4 * KB, 16 * KB, 64 * KB, 256 * KB]) {
      await pullIntoTree(await open(), incoming, { stash: false });
      fillBut(left);
      const error = await errorOf(undoPull(await open()));
      if (error !== null) expect(error, `${left} left: ${JSON.stringify(error)}`).toMatchObject({ code: 'disk_full' });
      free();
      if (error !== null) await undoPull(await open());
      expect(pictureOf(desk, APP), `${left} left`).toBe(before);
    }
  });

  it('names the file when not even a lock can be written', async () => {
    const incoming = onSmallDisk();
    fillBut(0);
    for (const work of [checkPull, branchOff])
      expect(await errorOf(work(await open(), incoming))).toMatchObject({
        code: 'disk_full',
        message: expect.stringContaining(desk.path(APP, '.git/')),
      });
  });

  it('is read-only', async () => {
    const incoming = onSmallDisk();
    await pullIntoTree(await open(), incoming, { stash: false });
    const before = pictureOf(desk, APP);
    remount('ro');
    for (const work of [undoPull, checkPull, branchOff])
      expect(await errorOf(work(await open(), incoming))).toMatchObject({
        code: 'file_unreadable',
        message: expect.stringMatching(/small\/app\/.*read-only/),
        wayOut: expect.stringContaining('mount'),
      });
    remount('rw');
    expect(pictureOf(desk, APP)).toBe(before);
    await undoPull(await open());
    expect(existsSync(desk.path(APP, 'new.txt'))).toBe(false);
  });
});

const branchOff: typeof checkPull = async (checkout, incoming) => {
  await pullIntoBranch(checkout, incoming, 'side');
  return { conflicts: [], alreadyHere: false };
};
