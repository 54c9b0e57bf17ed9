import { readFile } from 'node:fs/promises';

export interface MemoryEvents {
  /** How often the kernel killed a process of our cgroup for memory. */
  readonly kills: number;
  readonly limitBytes: number | null;
}

/** Reads what the cgroup (version 2, else 1) knows; null where there is none. */
export async function memoryEvents(root = '/sys/fs/cgroup', self = '/proc/self/cgroup'): Promise<MemoryEvents | null> {
  const lines = (await read(self))?.split('\n') ?? [];
  const pathOf = (match: (controllers: string) => boolean) =>
    lines.map((line) => line.split(':')).find(([, controllers = '']) => match(controllers))?.[2];
  const v2 = pathOf((controllers) => controllers === '');
  const v1 = pathOf((controllers) => controllers.split(',').includes('memory'));
  // In a container the path may be that of the host while only its own part is mounted: then it is the root.
  for (const [base, path, events, limit] of [
    [root, v2, 'memory.events', 'memory.max'],
    [`${root}/unified`, v2, 'memory.events', 'memory.max'],
    [`${root}/memory`, v1, 'memory.oom_control', 'memory.limit_in_bytes'],
  ] as const)
    for (const dir of path === undefined ? [base] : [`${base}${path}`, base]) {
      const kills = /^oom_kill (\d+)/m.exec((await read(`${dir}/${events}`)) ?? '')?.[1];
      if (kills === undefined) continue;
      const bytes = Number((await read(`${dir}/${limit}`))?.trim());
      // Version 1 writes "no limit" as a number near 2^63.
      return { kills: Number(kills), limitBytes: bytes > 0 && bytes < 2 ** 50 ? bytes : null };
    }
  return null;
}

const read = (file: string): Promise<string | null> => readFile(file, 'utf8').catch(() => null);
