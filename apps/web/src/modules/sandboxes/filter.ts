import type { SandboxStateName } from '@hangar/contract';
import { isClosed, SANDBOX_STATES } from '@hangar/contract/state-words';
import { type FilterOf, flag, listFilter, name, type Param } from '../../components/list/list-filter.ts';

export type SandboxGroup = 'open' | 'all' | 'closed';

export const GROUPS: readonly { readonly group: SandboxGroup; readonly label: string }[] = [
  { group: 'open', label: 'Open' },
  { group: 'closed', label: 'Closed' },
  { group: 'all', label: 'All' },
];

const groupOf = (typed: unknown): SandboxGroup => GROUPS.find(({ group }) => group === typed)?.group ?? 'open';

/** The states a group is asked for by; undefined for all. */
export function statesOf(group: SandboxGroup): SandboxStateName[] | undefined {
  if (group === 'all') return undefined;
  return SANDBOX_STATES.filter((state) => isClosed(state) === (group === 'closed'));
}

/** What the list of sandboxes shows: at first those that are open. */
export const SANDBOXES_FILTER = listFilter({
  group: {
    at: 'show',
    read: groupOf,
    write: (group) => (group === 'open' ? undefined : group),
    does: 'narrows',
  } as Param<SandboxGroup, 'show'>,
  profile: name('profile'),
  /** Sandboxes of everybody; only for admins. */
  everybody: flag('all'),
});
export type SandboxesFilter = FilterOf<typeof SANDBOXES_FILTER>;
