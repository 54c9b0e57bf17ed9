import { ActivityQuery, Page, PodQuery } from '@hangar/contract';
import { checkOptions } from './check-options.ts';

/** Lists that may be asked for more or less at a time than others. */
const LIMITS: Readonly<Record<string, typeof Page.limit>> = {
  activity: ActivityQuery.shape.limit,
  'k8s pods': PodQuery.shape.limit,
};

/**
 * Holds the options of a list against the contract. Load it only where one is given: most lists are asked for without, and need no schema.
 * @throws HangarError usage, before anything is sent
 */
export function checkPage(
  command: string,
  { limit, offset }: { readonly limit?: number | undefined; readonly offset?: number | undefined },
): void {
  checkOptions(command, [
    { flag: '--limit', value: limit, schema: LIMITS[command] ?? Page.limit },
    { flag: '--offset', value: offset, schema: PodQuery.shape.offset },
  ]);
}
