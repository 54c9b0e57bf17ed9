import type { SearchHit } from '@hangar/contract';
import { jobWords } from '@hangar/contract/words/job';
import type { Caller } from '../../platform/http/identity.ts';
import type { Jobs } from './jobs.ts';

/** One's own jobs; those of all for an admin. */
export const searchJobs =
  (jobs: Pick<Jobs, 'list'>) =>
  async (caller: Caller, text: string): Promise<SearchHit[]> => {
    const { items } = await jobs.list(caller, { search: text, limit: 20 });
    return items.map((job) => ({
      kind: 'job',
      id: job.id,
      title: job.title,
      detail: `${jobWords(job).word}, ${job.repo.name}`,
      link: `/jobs/${job.id}`,
    }));
  };
