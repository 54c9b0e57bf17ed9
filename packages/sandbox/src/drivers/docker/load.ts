import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { z } from 'zod';
import type { Load } from '../../port/machine.ts';
import type { CallOptions } from '../../port/unit.ts';
import { isStatus } from './errors.ts';
import { asMachineError, type MachineEngine, whyShut } from './exec-state.ts';

/** Limits change rarely; the disk is counted file by file. */
const AGE_MS = 10_000;
/** The counting of a large disk takes a tenth of the time at most. */
const REST_OF_COUNTING = 9;
const COUNT_DEADLINE_MS = 60_000;
/** How long the first answer waits for the disk. */
const FIRST_COUNT_MS = 1_000;
/** Two samples that are nearer say nothing of the CPU. */
const NEAREST_SAMPLES_MS = 200;
/** Where a control group has no limit it says a number near 2^63. */
const NO_LIMIT = 2 ** 60;

export const Stats = z.object({
  read: z.string(),
  cpu_stats: z.object({
    cpu_usage: z.object({ total_usage: z.number() }),
    online_cpus: z.number().optional(),
  }),
  memory_stats: z.object({
    usage: z.number().optional(),
    limit: z.number().optional(),
    stats: z.record(z.string(), z.number()).optional(),
  }),
});
export type Stats = z.infer<typeof Stats>;

export const Limits = z.object({
  HostConfig: z.object({
    NanoCpus: z.number().catch(0),
    CpuQuota: z.number().catch(0),
    CpuPeriod: z.number().catch(0),
    Memory: z.number().catch(0),
  }),
});
export type Limits = z.infer<typeof Limits>;

const Size = z.object({ SizeRw: z.number() });

/** Null for a container that does not run. */
export function memoryOf({ memory_stats: memory }: Stats): number | null {
  if (memory.usage === undefined) return null;
  // Files that were read and could be let go at any time are nobody's need; as `docker stats` counts it. Groups of
  // version 1 have the sum over the groups below under a name of its own.
  const inactive = memory.stats?.total_inactive_file ?? memory.stats?.inactive_file ?? 0;
  return inactive < memory.usage ? memory.usage - inactive : memory.usage;
}

export function mostOf(stats: Stats, { HostConfig: limits }: Limits): { cpus: number | null; memory: number | null } {
  const quota = limits.CpuQuota > 0 ? limits.CpuQuota / (limits.CpuPeriod || 100_000) : 0;
  const memory = limits.Memory || (stats.memory_stats.limit ?? 0);
  return {
    cpus: limits.NanoCpus / 1e9 || quota || (stats.cpu_stats.online_cpus ?? null),
    memory: memory > 0 && memory < NO_LIMIT ? memory : null,
  };
}

/** Cores in use between two samples; null where the second is of another run of the container. */
export function cpusBetween(before: Stats, after: Stats): number | null {
  const used = after.cpu_stats.cpu_usage.total_usage - before.cpu_stats.cpu_usage.total_usage;
  const elapsedMs = Date.parse(after.read) - Date.parse(before.read);
  return used >= 0 && elapsedMs > 0 ? used / (elapsedMs * 1e6) : null;
}

/**
 * What a container uses. CPU needs two samples, so it is null the first time; the disk is what the container wrote beside
 * its image and volumes, and null until it is counted.
 */
export function createLoad(engine: MachineEngine, container: string): (o: CallOptions) => Promise<Load> {
  const path = `/containers/${encodeURIComponent(container)}`;
  let previous: { stats: Stats; cpus: number | null } | null = null;
  let limits: { value: Limits; at: number } | null = null;
  let disk: number | null = null;
  let counting: Promise<void> | null = null;
  let countAgainAt = 0;

  async function limitsNow(signal: AbortSignal): Promise<Limits> {
    if (limits && performance.now() - limits.at < AGE_MS) return limits.value;
    const value = Limits.parse(await engine.json('GET', `${path}/json`, { signal, deadlineMs: 10_000 }));
    limits = { value, at: performance.now() };
    return value;
  }

  /** Goes on beside its callers: a large disk takes longer than anybody waits for a sample. */
  function count(): Promise<void> {
    if (counting) return counting;
    if (performance.now() < countAgainAt) return Promise.resolve();
    const begun = performance.now();
    const call = {
      query: { size: '1' },
      signal: AbortSignal.timeout(COUNT_DEADLINE_MS),
      deadlineMs: COUNT_DEADLINE_MS,
    };
    counting = engine
      .json('GET', `${path}/json`, call)
      .then((answer) => {
        disk = Size.parse(answer).SizeRw;
      })
      // The other questions of the same sample tell what is wrong; here it means only: not counted.
      .catch(() => {})
      .finally(() => {
        const now = performance.now();
        countAgainAt = now + Math.max(AGE_MS, REST_OF_COUNTING * (now - begun));
        counting = null;
      });
    return counting;
  }

  return async ({ signal }) => {
    const counted = count();
    try {
      const query = { stream: 'false', 'one-shot': 'true' };
      const [answer, limit] = await Promise.all([
        engine.json('GET', `${path}/stats`, { query, signal, deadlineMs: 10_000 }),
        limitsNow(signal),
        disk === null ? Promise.race([counted, sleep(FIRST_COUNT_MS, undefined, { signal, ref: false })]) : null,
      ]);
      const stats = Stats.parse(answer);
      const memoryBytes = memoryOf(stats);
      if (memoryBytes === null) {
        const why = await whyShut(engine, container, signal);
        throw why ?? new HangarError('driver_unavailable', { message: `Docker says nothing of ${container} now.` });
      }
      const elapsedMs = previous ? Date.parse(stats.read) - Date.parse(previous.stats.read) : null;
      if (previous === null) previous = { stats, cpus: null };
      else if (elapsedMs !== null && elapsedMs >= NEAREST_SAMPLES_MS)
        previous = { stats, cpus: cpusBetween(previous.stats, stats) };
      const most = mostOf(stats, limit);
      return {
        ...{ at: new Date(stats.read), cpus: previous.cpus, cpusMost: most.cpus },
        ...{ memoryBytes, memoryMost: most.memory, diskBytes: disk, diskMost: null },
      };
    } catch (error) {
      const why = isStatus(error, 404, 409) ? await whyShut(engine, container, signal) : null;
      throw why ?? asMachineError(error, engine.host);
    }
  };
}
