import type { Profile } from '../profiles.ts';
import { plural } from './number.ts';
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
