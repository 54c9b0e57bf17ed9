import { JOB_STATES } from '@hangar/contract';
import { describe, expect, it } from 'vitest';
import { GROUPS, groupOf, stateParameter, statesOf } from './filter.ts';

describe('filter of jobs', () => {
  it('goes through the address and back', () => {
    for (const { group } of GROUPS) expect(groupOf(statesOf(stateParameter(group)))).toBe(group);
  });
  it('leaves out what is no state', () => {
    expect(statesOf('running,bogus,,failed')).toEqual(['running', 'failed']);
    expect(groupOf(statesOf('running'))).toBe('other');
    expect(groupOf(statesOf('bogus'))).toBe('all');
  });
  it('has a group for each state', () => {
    const grouped = GROUPS.flatMap((entry) => entry.states);
    expect([...grouped].sort()).toEqual([...JOB_STATES].sort());
  });
});
