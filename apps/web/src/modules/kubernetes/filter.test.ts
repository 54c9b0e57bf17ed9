import { PodQuery } from '@hangar/contract';
import { expect, it } from 'vitest';
import { nextSort, PODS_FILTER, queryOf } from './filter.ts';

it('what somebody typed into the address never breaks the page, and comes back as it was', () => {
  const filter = PODS_FILTER.read({ status: 'failing,nonsense,pending', sort: 'colour', page: -3, node: 'gpu-1' });
  expect(filter).toMatchObject({ states: ['pending', 'failing'], sort: 'attention', page: 1, nodeName: 'gpu-1' });
  expect(PODS_FILTER.read(PODS_FILTER.write(filter))).toEqual(filter);
  expect(PODS_FILTER.write(PODS_FILTER.read({}))).toEqual({});
  expect(PODS_FILTER.isFiltered(PODS_FILTER.read({ sort: 'age', page: 7 }))).toBe(false);
});

it('asks the server for just that page', () => {
  const query = queryOf(PODS_FILTER.read({ status: 'pending', search: 'x'.repeat(300), page: 3 }), 'staging');
  expect(query).toMatchObject({ context: 'staging', status: ['pending'], offset: 100, limit: 50 });
  expect(PodQuery.parse(query)).toEqual(query);
});

it('a column sorts, then the other way round, then not', () => {
  expect(nextSort('attention', 'restarts')).toBe('restarts');
  expect(nextSort('restarts', 'restarts')).toBe('-restarts');
  expect(nextSort('-restarts', 'restarts')).toBe('attention');
  expect(nextSort('attention', 'attention')).toBe('-attention');
  expect(nextSort('age', 'ready')).toBe('age');
});
