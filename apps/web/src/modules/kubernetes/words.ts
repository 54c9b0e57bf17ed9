import type { ResourceUse } from '@hangar/contract';
import { formatCount } from '../../components/format.ts';

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
