import type { ResourceUse } from '@hangar/contract';
import { formatCount } from '../../components/format.ts';

/** `0.25`, `1.5`, `12`: cores, with what a reader can tell apart. */
export function cores(value: number): string {
  if (value >= 100) return formatCount(Math.round(value));
  if (value >= 10) return value.toFixed(1).replace(/\.0$/, '');
  return value > 0 && value < 0.005 ? '<0.01' : value.toFixed(2).replace(/\.?0+$/, '');
}

export const counted = (value: number): string => formatCount(Math.round(value));

/** All numbers of a resource in one sentence. */
export function useWords(what: string, use: ResourceUse, say: (value: number) => string): string {
  return [
    `${what}: ${say(use.allocatable)} for pods`,
    ...(use.capacity === use.allocatable ? [] : [`of ${say(use.capacity)} in all`]),
    use.requested === null ? 'requested by pods: not to be seen' : `${say(use.requested)} requested`,
    use.used === null ? 'in use: not measured' : `${say(use.used)} in use`,
  ].join(', ');
}
