import { expect, it } from 'vitest';
import { fittingNodes, NODES_FILTER } from './node-filter.ts';
import { nodes } from './samples.ts';

const found = (status: string | undefined, search?: string) =>
  fittingNodes(nodes.items, NODES_FILTER.read({ status, search })).map(({ name }) => name);

it('what somebody typed into the address never breaks the page, and comes back as it was', () => {
  const filter = NODES_FILTER.read({ status: 'asleep', search: 'gpu' });
  expect(filter).toEqual({ state: null, search: 'gpu' });
  expect(NODES_FILTER.read(NODES_FILTER.write(filter))).toEqual(filter);
  expect(NODES_FILTER.write(NODES_FILTER.read({}))).toEqual({});
});

it('finds nodes by state and by every word of the search', () => {
  const all = nodes.items.map(({ name }) => name);
  expect(found(undefined)).toEqual(all);
  for (const state of new Set(nodes.items.map((node) => node.state)))
    expect(found(state)).toEqual(nodes.items.filter((node) => node.state === state).map(({ name }) => name));
  const [first] = nodes.items;
  expect(found(undefined, `  ${first?.name.toUpperCase()}  ${first?.version} `)).toEqual([first?.name]);
  expect(found(undefined, `${first?.name} nowhere`)).toEqual([]);
});
