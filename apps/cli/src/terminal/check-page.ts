import { ActivityQuery, Page, PodQuery } from '@hangar/contract';
import { checkOptions } from './check-options.ts';

const LISTS = { jobs: { limit: Page.limit }, activity: ActivityQuery.shape, 'k8s pods': PodQuery.shape };

/**
 * Holds the options of a list against the contract. Load it only where one is given: most lists are asked for without, and need no schema.
 * @throws HangarError usage, before anything is sent
 */
export function checkPage(
  command: keyof typeof LISTS,
  { limit, offset }: { readonly limit?: number | undefined; readonly offset?: number | undefined },
): void {
  checkOptions(command, [
    { flag: '--limit', value: limit, schema: LISTS[command].limit },
    { flag: '--offset', value: offset, schema: PodQuery.shape.offset },
  ]);
}
