import type { Job } from '@hangar/contract';
import { type Checkout, needCheckout } from '../checkout/checkout.ts';
import { jobsOfRepository } from '../checkout/identity.ts';
import type { Cli } from '../cli.ts';
import type { Api } from '../server/api.ts';

const PAGE = 200;
/** So many pages are looked through for one of ours; who wants to look farther back goes on with the cursor. */
const PAGES = 50;

type Query = Omit<NonNullable<Parameters<Api['client']['jobs']['list']>[0]>, 'limit' | 'cursor'>;
interface Page {
  readonly items: Job[];
  readonly nextCursor: string | null;
}

/**
 * A page of jobs of the repository around, by the rule that pull goes by, whatever they are called. The server lists, the checkout
 * tells which are its own: only it knows its commits, its remotes and what was sent from it.
 */
export async function jobsHere(
  cli: Cli,
  { client }: Pick<Api, 'client'>,
  query: Query,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<Page> {
  const checkout: Checkout = needCheckout(await cli.checkout());
  const items: Job[] = [];
  let from = cursor;
  for (let pages = 0; pages < PAGES; pages++) {
    const ask = (most: number) =>
      client.jobs.list({ ...query, limit: most, ...(from === undefined ? {} : { cursor: from }) });
    const page = await ask(PAGE);
    const own = await jobsOfRepository(checkout, page.items);
    const room = limit - items.length;
    const last = own[room - 1];
    items.push(...own.slice(0, room));
    if (last !== undefined) {
      const at = page.items.findIndex(({ id }) => id === last.id) + 1;
      // The next page begins behind the last one shown, not behind all that were looked at.
      return { items, nextCursor: at < page.items.length ? (await ask(at)).nextCursor : page.nextCursor };
    }
    if (page.nextCursor === null) return { items, nextCursor: null };
    from = page.nextCursor;
  }
  cli.terminal.note(`Looked through ${PAGE * PAGES} jobs; go on with the cursor.`);
  return { items, nextCursor: from ?? null };
}
