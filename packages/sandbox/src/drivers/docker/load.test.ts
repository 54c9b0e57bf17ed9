import { describe, expect, test } from 'vitest';
import { cpusBetween, Limits, memoryOf, mostOf, Stats } from './load.ts';

const MB = 1024 * 1024;
const stats = (o: { read?: string; total?: number; cpus?: number; memory?: object } = {}) =>
  Stats.parse({
    read: o.read ?? '2026-11-30T15:21:12.143917929Z',
    cpu_stats: { cpu_usage: { total_usage: o.total ?? 0 }, online_cpus: o.cpus ?? 8, system_cpu_usage: 1 },
    memory_stats: o.memory ?? {},
  });
const limits = (o: object) => Limits.parse({ HostConfig: o });

describe('memory', () => {
  test.each([
    ['groups of version 1', { total_inactive_file: 30 * MB, inactive_file: MB }, 70 * MB],
    ['groups of version 2', { inactive_file: 20 * MB, file: 50 * MB }, 80 * MB],
    ['nothing of files', {}, 100 * MB],
    ['more than is used', { inactive_file: 200 * MB }, 100 * MB],
  ])('leaves out what could be let go: %s', (_, parts, expected) => {
    expect(memoryOf(stats({ memory: { usage: 100 * MB, stats: parts } }))).toBe(expected);
  });

  test('of a container that does not run is none', () => {
    expect(memoryOf(stats())).toBeNull();
  });
});

describe('the most there is', () => {
  test.each([
    [
      { NanoCpus: 1_500_000_000, Memory: 512 * MB },
      { cpus: 1.5, memory: 512 * MB },
    ],
    [
      { CpuQuota: 50_000, CpuPeriod: 100_000 },
      { cpus: 0.5, memory: 4096 * MB },
    ],
    [{ CpuQuota: 250_000 }, { cpus: 2.5, memory: 4096 * MB }],
    [
      { CpuQuota: -1, NanoCpus: 0, Memory: 0 },
      { cpus: 8, memory: 4096 * MB },
    ],
  ])('with %o', (host, expected) => {
    expect(mostOf(stats({ memory: { limit: 4096 * MB } }), limits(host))).toEqual(expected);
  });

  test('is unknown where a group says that it has no limit', () => {
    expect(mostOf(stats({ memory: { limit: 2 ** 63 - 4096 } }), limits({})).memory).toBeNull();
  });
});

describe('the CPU between two samples', () => {
  const before = stats({ read: '2026-11-30T15:21:10.000000000Z', total: 1e9 });
  test.each([
    ['2026-11-30T15:21:12.000000000Z', 4e9, 1.5],
    ['2026-11-30T15:21:11.000000000Z', 1e9, 0],
    ['2026-11-30T15:21:12.000000000Z', 1e6, null],
    ['2026-11-30T15:21:10.000000000Z', 2e9, null],
    ['0001-01-01T00:00:00Z', 0, null],
  ])('at %s with %d is %s', (read, total, expected) => {
    expect(cpusBetween(before, stats({ read, total }))).toBe(expected);
  });
});
