import type { Job } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
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
  let { from, last } = readCursor(cursor);
  for (let pages = 0; pages < PAGES; pages++) {
    const page = await client.jobs.list({ ...query, limit: PAGE, ...(from === null ? {} : { cursor: from }) });
    const { rest, isPast } = behind(page.items, last);
    const own = await jobsOfRepository(checkout, rest);
    items.push(...own.slice(0, limit - items.length));
    const shown = items.at(-1);
    // The next page begins behind the last one shown, not behind all that were looked at.
    if (items.length === limit && shown !== undefined && shown.id !== page.items.at(-1)?.id)
      return { items, nextCursor: writeCursor({ from, last: shown }) };
    if (items.length === limit || page.nextCursor === null) return { items, nextCursor: page.nextCursor };
    from = page.nextCursor;
    if (isPast) last = null;
  }
  cli.terminal.note(`Looked through ${PAGE * PAGES} jobs; go on with the cursor.`);
  return { items, nextCursor: from };
}

/** A cursor of the server leads behind one of its pages; what was shown may end in the midst of the next. */
interface Place {
  /** null: the first page. */
  readonly from: string | null;
  /** The last job shown; null when none of the page was. */
  readonly last: Pick<Job, 'id' | 'createdAt'> | null;
}

/** No cursor of the server has a dot. */
const MARK = 'here.';

const writeCursor = ({ from, last }: Place): string =>
  `${MARK}${Buffer.from(JSON.stringify([from, last?.createdAt, last?.id])).toString('base64url')}`;

/** @throws HangarError usage */
function readCursor(cursor: string | undefined): Place {
  if (cursor?.startsWith(MARK) !== true) return { from: cursor ?? null, last: null };
  try {
    const [from, createdAt, id] = JSON.parse(Buffer.from(cursor.slice(MARK.length), 'base64url').toString());
    return { from, last: { createdAt, id } };
  } catch {
    throw new HangarError('usage', {
      message: 'The cursor is not one of ours.',
      wayOut: 'Take it from the page before: hangar jobs --here --json',
    });
  }
}

/** Those that the server lists after this one, which may be gone by now; jobs that came later stand before it. */
function behind(jobs: readonly Job[], last: Place['last']): { rest: readonly Job[]; isPast: boolean } {
  if (last === null) return { rest: jobs, isPast: true };
  const at = jobs.findIndex(({ id }) => id === last.id);
  if (at >= 0) return { rest: jobs.slice(at + 1), isPast: true };
  const time = Date.parse(last.createdAt);
  const first = jobs.findIndex(({ createdAt, id }) => {
    const its = Date.parse(createdAt);
    return its < time || (its === time && id < last.id);
  });
  return first < 0 ? { rest: [], isPast: false } : { rest: jobs.slice(first), isPast: true };
}
