import fc from 'fast-check';
import { expect, it } from 'vitest';
import { flag, listFilter, name, sent, text } from './list-filter.ts';
import { nextSort, oneOf, page, someOf, sorted } from './list-params.ts';
import { sortOf } from './sorted-pages.tsx';

const COLUMNS = ['age', 'size'] as const;
const FILTER = listFilter({
  search: text('search'),
  owner: name('by'),
  state: oneOf('state', ['good', 'bad']),
  kinds: someOf('kind', ['a', 'b', 'c']),
  all: flag('all'),
  sort: sorted('sort', COLUMNS, 'age'),
  page: page('page', 100),
});

it('comes back from the address as it was; as usual is nothing there', () => {
  expect(Object.values(FILTER.write(FILTER.read({}))).filter((one) => one !== undefined)).toEqual([]);
  const values = fc.record({
    search: fc.string(),
    owner: fc.option(fc.string()),
    state: fc.constantFrom('good' as const, 'bad' as const, null),
    kinds: fc.subarray(['a', 'b', 'c'] as const),
    all: fc.boolean(),
    sort: fc.constantFrom('age', '-age', 'size', '-size'),
    page: fc.integer({ min: 1, max: 100 }),
  });
  fc.assert(
    fc.property(values, (one) => {
      expect(FILTER.read(FILTER.write(one as never))).toEqual(one);
    }),
  );
});

it('whatever somebody typed into the address is a filter', () => {
  expect(FILTER.read({ state: 'ugly', kind: 'b,z,,a', all: 'yes', sort: '-colour', page: 'x', other: 1 })).toEqual({
    search: '',
    owner: null,
    state: null,
    kinds: ['a', 'b'],
    all: false,
    sort: 'age',
    page: 1,
  });
  expect(FILTER.read({ page: 1e9 }).page).toBe(100);
  expect(FILTER.read({ all: 1, search: 7 })).toMatchObject({ all: true, search: '7' });
});

it('is cleared of what leaves rows out, and begins at the first page again', () => {
  const asked = FILTER.read({ search: 'x', by: 'ada', kind: 'a', all: '1', sort: '-size', page: 3 });
  expect(FILTER.isFiltered(asked)).toBe(true);
  const cleared = FILTER.cleared(asked);
  expect(FILTER.isFiltered(cleared)).toBe(false);
  expect(cleared).toMatchObject({ all: true, sort: '-size', page: 1, search: '', owner: null, kinds: [] });
});

it('asks for what is not as usual, and sorts by the column that is clicked', () => {
  expect(sent({ a: '', b: null, c: undefined, d: [], e: 0, f: false, g: ['x'] })).toEqual({ e: 0, f: false, g: ['x'] });
  expect(nextSort(COLUMNS, 'age', 'age', 'size')).toBe('size');
  expect(nextSort(COLUMNS, 'age', '-size', 'size')).toBe('age');
  expect(sortOf('-size', () => {})).toMatchObject({ column: 'size', order: 'descending' });
});
