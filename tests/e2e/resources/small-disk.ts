import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of its own of so many MB; null and why when this machine does not let us mount one. */
export function mountSmall(dir: string, megabytes: number): { unmount(): void } | { skipped: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { skipped: 'only root on Linux can mount a small disk' };
  mkdirSync(dir, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', dir], { stdio: 'pipe' });
  } catch (error) {
    return {
      skipped: `no small disk can be mounted: ${error instanceof Error ? error.message.split('\n')[1] : error}`,
    };
  }
  return { unmount: () => execFileSync('umount', ['--lazy', dir]) };
}

/** Takes all space that is left. */
export function fill(dir: string): { free(): void } {
  const file = join(dir, 'filler');
  const handle = openSync(file, 'w');
  for (const size of [1024 * 1024, 4096, 1]) {
    const bytes = Buffer.alloc(size);
    for (;;) {
      try {
        if (writeSync(handle, bytes) < size) break;
      } catch {
        break;
      }
    }
  }
  closeSync(handle);
  return { free: () => rmSync(file, { force: true }) };
}
