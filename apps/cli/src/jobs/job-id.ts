import type { Job, JobState } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Checkout } from '../checkout/checkout.ts';
import type { JobSource } from '../checkout/identity.ts';
import type { Cli } from '../cli.ts';
import type { Api } from '../server/api.ts';

/** The argument that names a job: an id, or the address of its page. */
export const jobArgument = { placeholder: 'ID', parse: parseJobId, proposeCompletions: proposeJobs } as const;

/** @throws HangarError usage */
export function parseJobId(text: string): string {
  const id = /^(?:https?:\/\/\S*\/)?([jl]_[0-9a-z]{6,40})(?:[/?#]\S*)?$/.exec(text)?.[1];
  if (id !== undefined) return id;
  throw new HangarError('usage', {
    message: `${JSON.stringify(text)} is not the id of a job; ids look like j_7k2m9p4x.`,
    wayOut: 'See the ids: hangar jobs',
  });
}

/** A run on this machine (hangar run without --cloud): it lives in a git folder, no server knows it. */
export const isLocalRun = (id: string): boolean => id.startsWith('l_');

/**
 * For a command that only a server can carry out.
 * @throws HangarError usage
 */
export function refuseLocalRun(id: string, wayOut: string): void {
  if (!isLocalRun(id)) return;
  throw new HangarError('usage', { message: `${id} ran on this machine; no server knows it.`, wayOut });
}

/** Ids for shell completion, of runs here and of jobs; a server that is away, or that nobody signed in to, has none. */
async function proposeJobs(this: Cli): Promise<readonly string[]> {
  const here = async () => {
    const checkout = await this.checkout();
    return checkout === null ? [] : (await import('./local/local-runs.ts')).localRuns(this, checkout);
  };
  const there = async () => {
    const { client, identity } = await this.api(undefined);
    return identity === 'none' ? [] : (await client.jobs.list({ limit: 30 })).items;
  };
  const found = await Promise.all([here().catch(() => []), there().catch(() => [])]);
  return found.flat().map(({ id }) => id);
}

/** Most often the newest job is of this repository. Farther back than these pages only jobs of its name are looked at. */
const PAGES = [20, 100, 200, 200];

/** The newest of my jobs that suits; in a checkout only those of its repository count, whatever they are called. */
export async function newestOf(
  { client }: Pick<Api, 'client'>,
  checkout: Checkout | null,
  o: { readonly states?: JobState[]; readonly suits?: (job: Job) => boolean },
): Promise<Job | null> {
  const state = o.states === undefined ? {} : { state: o.states };
  const suits = o.suits ?? (() => true);
  if (checkout === null) {
    const { items } = await client.jobs.list({ limit: o.suits === undefined ? 1 : 100, ...state });
    return items.find(suits) ?? null;
  }
  const { jobsOfRepository } = await import('../checkout/identity.ts');
  const first = async (items: readonly Job[]) => (await jobsOfRepository(checkout, items.filter(suits)))[0] ?? null;
  let cursor: string | undefined;
  for (const limit of PAGES) {
    const page = await client.jobs.list({ limit, ...state, ...(cursor === undefined ? {} : { cursor }) });
    const found = await first(page.items);
    if (found !== null || page.nextCursor === null) return found;
    cursor = page.nextCursor;
  }
  const { nameOf } = await import('../checkout/checkout.ts');
  return first((await client.jobs.list({ limit: 200, repo: await nameOf(checkout), ...state })).items);
}

/**
 * Refuses a job or run of another repository, which was named by its id.
 * @throws HangarError job_of_other_repository
 */
export async function refuseForeign(
  checkout: Checkout,
  job: JobSource & { readonly repo: { name: string }; readonly was?: string },
): Promise<void> {
  const { jobsOfRepository } = await import('../checkout/identity.ts');
  if ((await jobsOfRepository(checkout, [job])).length > 0) return;
  throw new HangarError('job_of_other_repository', {
    message: `${job.was ?? `${job.id} is a job of ${job.repo.name}`}, and this checkout is of another repository.`,
    wayOut: `Change into a checkout of its repository, or apply it here all the same: hangar pull ${job.id} --anyway`,
    details: { repository: job.repo.url ?? job.repo.name },
  });
}
