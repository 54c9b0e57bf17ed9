import { HangarError } from '@hangar/contract';

/** What a machine gives and uses, read from what the script LIMITS prints. */
export interface Limits {
  readonly cpusMost: number | null;
  /** Seconds of processor time since something began, and the clock of the machine, in seconds. */
  readonly cpuSeconds: number | null;
  readonly uptime: number;
  readonly memoryBytes: number | null;
  readonly memoryMost: number | null;
  readonly diskBytes: number | null;
  readonly diskMost: number | null;
  readonly diskFree: number | null;
}

/** Version 1 says "no limit" as a number near 2^63. */
const NO_LIMIT = 2 ** 50;

export function limitsOf(text: string): Limits {
  const lines = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(' ');
    // The first counts: a machine may have both versions, and 2 comes first.
    if (at > 0 && !lines.has(line.slice(0, at))) lines.set(line.slice(0, at), line.slice(at + 1));
  }
  const number = (name: string): number | null => {
    const value = lines.get(name);
    return value !== undefined && /^\d+(\.\d+)?$/.test(value) ? Number(value) : null;
  };
  const numbers = (name: string) => (lines.get(name) ?? '').split(' ').map(Number);
  const uptime = number('uptime');
  if (uptime === null) throw new HangarError('connection_lost', { message: 'The machine does not say what it uses.' });
  const [quota = Number.NaN, period = Number.NaN] = numbers('cpu.max');
  const hostCpus = number('host.cpus') || null;
  const isCpuLimited = quota > 0 && period > 0;
  const total = (number('host.MemTotal:') ?? 0) * 1024 || null;
  const max = number('memory.max');
  const isLimited = max !== null && max < NO_LIMIT && (total === null || max < total);
  const current = number('memory.current');
  const available = number('host.MemAvailable:');
  const usedByHost = total === null || available === null ? null : total - available * 1024;
  // What can be dropped at once is not in use.
  const usedByGroup = current === null ? null : Math.max(0, current - (number('memory.cache') ?? 0));
  const busy = numbers('host.busy');
  const hostSeconds =
    busy.reduce((sum, ticks, index) => (index === 3 || index === 4 ? sum : sum + ticks), 0) /
    (number('host.hz') || 100);
  const groupSeconds = inSeconds(number('cpu.usec'), 1e6) ?? inSeconds(number('cpu.nsec'), 1e9);
  const [size = 0, used = 0, free = 0] = numbers('disk');
  return {
    cpusMost: isCpuLimited && (hostCpus === null || quota / period < hostCpus) ? quota / period : hostCpus,
    // Without a limit the machine is its own: what all of it uses counts.
    cpuSeconds: isCpuLimited && groupSeconds !== null ? groupSeconds : hostSeconds > 0 ? hostSeconds : groupSeconds,
    uptime,
    memoryBytes: isLimited ? usedByGroup : usedByHost,
    memoryMost: isLimited ? max : total,
    diskBytes: size > 0 ? used * 1024 : null,
    diskMost: size > 0 ? size * 1024 : null,
    diskFree: size > 0 ? free * 1024 : null,
  };
}

const inSeconds = (value: number | null, unit: number): number | null => (value === null ? null : value / unit);
