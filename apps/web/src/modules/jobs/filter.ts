import type { JobState } from '@hangar/contract';
import { FINAL_STATES, JOB_STATES } from '@hangar/contract/state-words';
import { JOB_WORDS } from '@hangar/contract/words/job';
import { sentence } from '@hangar/contract/words/tone';
import { type FilterOf, flag, listFilter, name, type Param, text } from '../../components/list/list-filter.ts';

export type JobGroup = 'all' | 'active' | 'succeeded' | 'failed' | 'cancelled' | 'other';

export const GROUPS: readonly {
  readonly group: JobGroup;
  readonly label: string;
  readonly states: readonly JobState[];
}[] = [
  { group: 'all', label: 'All', states: [] },
  {
    group: 'active',
    label: 'Active',
    states: JOB_STATES.filter((state) => !FINAL_STATES.some((final) => final === state)),
  },
  { group: 'succeeded', label: sentence(JOB_WORDS.succeeded.word), states: ['succeeded'] },
  { group: 'failed', label: sentence(JOB_WORDS.failed.word), states: ['failed', 'timed_out', 'lost'] },
  { group: 'cancelled', label: sentence(JOB_WORDS.cancelled.word), states: ['cancelled'] },
];

/** `state=` of the address → states; what is no state is left out. */
export function statesOf(text: string | undefined): JobState[] {
  const named = (text ?? '').split(',');
  return JOB_STATES.filter((state) => named.includes(state));
}

/** The group that has exactly these states. */
export function groupOf(states: readonly JobState[]): JobGroup {
  const same = GROUPS.find(
    (entry) => entry.states.length === states.length && entry.states.every((state) => states.includes(state)),
  );
  return same?.group ?? 'other';
}

/** What `state=` of the address becomes for a group; undefined for all. */
export function stateParameter(group: JobGroup): string | undefined {
  const states = GROUPS.find((entry) => entry.group === group)?.states ?? [];
  return states.length === 0 ? undefined : states.join(',');
}

/** What the list of jobs shows. */
export const JOBS_FILTER = listFilter({
  group: {
    at: 'state',
    read: (typed) => groupOf(statesOf(String(typed ?? ''))),
    write: stateParameter,
    does: 'narrows',
  } as Param<JobGroup, 'state'>,
  search: text('search'),
  agent: name('agent'),
  profile: name('profile'),
  repo: name('repo'),
  /** Jobs that were sent together, by the name of their group. */
  sentAs: name('group'),
  /** Jobs of everybody; only for admins. */
  everybody: flag('all'),
});
export type JobsFilter = FilterOf<typeof JOBS_FILTER>;
