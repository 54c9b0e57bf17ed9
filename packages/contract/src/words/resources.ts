import type { Usage } from '../jobs.ts';
import type { Profile } from '../profiles.ts';
import { formatCount, plural } from './number.ts';
import { sizeInWords } from './size.ts';

/** `2 CPUs, 4 GiB memory, 512 processes, 3 jobs at once`: of a profile or a job; null without limits. */
export function limitWords({ cpus, memoryBytes, pids, jobsAtOnce }: Profile['limits']): string | null {
  const parts = [
    ...(cpus === undefined ? [] : [plural(cpus, 'CPU')]),
    ...(memoryBytes === undefined ? [] : [`${sizeInWords(memoryBytes)} memory`]),
    ...(pids === undefined ? [] : [plural(pids, 'process', 'processes')]),
    ...(jobsAtOnce === undefined ? [] : [`${plural(jobsAtOnce, 'job')} at once`]),
  ];
  return parts.length === 0 ? null : parts.join(', ');
}

/** `48,210 tokens in (12,000 cached), 2,911 out, $0.2149, 7 turns`: as the agent counted them. */
export const usageWords = (usage: Usage): string =>
  [
    `${formatCount(usage.inputTokens)} tokens in${usage.cachedInputTokens ? ` (${formatCount(usage.cachedInputTokens)} cached)` : ''}`,
    `${formatCount(usage.outputTokens)} out`,
    ...(usage.costUsd === null ? [] : [`$${usage.costUsd.toFixed(usage.costUsd < 1 ? 4 : 2)}`]),
    ...(usage.turns === null ? [] : [plural(usage.turns, 'turn')]),
    ...(usage.model === null ? [] : [usage.model]),
  ].join(', ');

/** `48.2 k / 2.9 k`, as in a table; null when the agent does not say. */
export const tokenWords = (usage: Usage | null): string | null =>
  usage === null ? null : `${short(usage.inputTokens)} / ${short(usage.outputTokens)}`;

function short(tokens: number): string {
  if (tokens < 1000) return String(tokens);
  return tokens < 999_500 ? `${(tokens / 1000).toFixed(tokens < 99_950 ? 1 : 0)} k` : `${(tokens / 1e6).toFixed(1)} M`;
}

/** `$0.21`; what costs less than a cent keeps what it has. Null when the agent does not say. */
export function costWords(usage: Usage | null): string | null {
  const cost = usage?.costUsd ?? null;
  return cost === null ? null : `$${cost.toFixed(cost > 0 && cost < 0.01 ? 4 : 2)}`;
}
