import { POD_SORTS, POD_STATES, type PodSort } from '@hangar/contract';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { filterOf, fits, orderOf, pageInOrder, podOf } from './pod-list.ts';
import { podRow } from './testing/fake-cluster.ts';

const names = (sort: PodSort, rows: Parameters<typeof pageInOrder>[0], use: Parameters<typeof orderOf>[1] = null) =>
  pageInOrder([...rows], orderOf(sort, use), 0, 50).map(({ name }) => name);

it('those that wait come first, the longest first; then what fails; what runs well comes after', () => {
  const at = (minutes: number) => Date.UTC(2026, 4, 4, 14, minutes);
  const rows = [
    podRow('done', { state: 'succeeded', createdAt: at(1) }),
    podRow('runs', { createdAt: at(2) }),
    podRow('waits-short', { state: 'pending', createdAt: at(9) }),
    podRow('crashes', { state: 'failing', createdAt: at(3) }),
    podRow('waits-long', { state: 'pending', createdAt: at(4) }),
    podRow('ended-badly', { state: 'failed', createdAt: at(5) }),
  ];
  expect(names('attention', rows)).toEqual(['waits-long', 'waits-short', 'crashes', 'ended-badly', 'runs', 'done']);
  expect(names('-attention', rows)[0]).toBe('done');
});

it('sorts by what was measured where it was measured, else by what was asked for; pods without come last either way', () => {
  const rows = [podRow('small', { cpuRequested: 0.1 }), podRow('none'), podRow('large', { cpuRequested: 2 })];
  expect(names('cpu', rows)).toEqual(['large', 'small', 'none']);
  expect(names('-cpu', rows)).toEqual(['small', 'large', 'none']);
  const use = new Map([
    ['shop/small', { cpu: 1.5, memory: 1 }],
    ['shop/none', { cpu: 0.2, memory: 1 }],
  ]);
  expect(names('cpu', rows, use)).toEqual(['small', 'none', 'large']);
  expect(names('node', [podRow('b', { nodeName: null }), podRow('a')])).toEqual(['a', 'b']);
  expect(names('-node', [podRow('b', { nodeName: null }), podRow('a')])).toEqual(['a', 'b']);
});

it('a page is what sorting everything and cutting it would give, in every order, wherever it is', () => {
  const row = fc
    .record({
      name: fc.stringMatching(/^[a-c]{1,3}$/),
      namespace: fc.constantFrom('a', 'b'),
      state: fc.constantFrom(...POD_STATES),
      restarts: fc.nat(3),
      createdAt: fc.option(fc.nat(5)),
      nodeName: fc.option(fc.constantFrom('n1', 'n2')),
      cpuRequested: fc.option(fc.nat(3)),
    })
    .map(({ name, ...rest }) => podRow(name, rest));
  const sort = fc.constantFrom(...POD_SORTS.flatMap((one) => [one, `-${one}` as const]));
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 300 }),
      sort,
      fc.nat(40),
      fc.integer({ min: 1, max: 20 }),
      (rows, by, offset, limit) => {
        // Names are unique in a cluster.
        const unique = [...new Map(rows.map((one) => [`${one.namespace}/${one.name}`, one])).values()];
        const order = orderOf(by, null);
        const all = [...unique].sort(order);
        expect(pageInOrder([...unique], order, offset, limit)).toEqual(all.slice(offset, offset + limit));
      },
    ),
  );
});

it('finds by name, namespace, node, owner, reason and job, whatever the case', () => {
  const row = podRow('web-7d9f', {
    ...{ namespace: 'shop', nodeName: 'gpu-1', ownerKind: 'ReplicaSet', ownerName: 'web', jobId: 'j_7k2m9x4q' },
    ...{ state: 'pending', status: 'ImagePullBackOff', reason: 'Back-off pulling image "registry/web:9"' },
  });
  const found = (search: string) => fits(row, filterOf({ search }));
  for (const text of ['7d9f', 'SHOP', 'shop/web', 'gpu-1', 'imagepull', 'Pulling image', 'j_7k2m9x4q'])
    expect(found(text)).toBe(true);
  expect(found('nothing')).toBe(false);
  expect(fits(row, filterOf({ status: ['running', 'pending'] }))).toBe(true);
  expect(fits(row, filterOf({ status: 'running' }))).toBe(false);
  expect(fits(row, filterOf({ nodeName: 'gpu-2' }))).toBe(false);
  expect(fits(row, filterOf({ namespace: 'sho' }))).toBe(false);
});

it('shows times as times, and use only where it is known', () => {
  expect(
    podOf(podRow('a', { restartedAt: 0, ownerKind: 'Job', ownerName: 'x' }), { cpu: 0.5, memory: 7 }),
  ).toMatchObject({
    restartedAt: '1970-01-01T00:00:00.000Z',
    owner: { kind: 'Job', name: 'x' },
    cpu: { used: 0.5, requested: null },
  });
  expect(podOf(podRow('a'), undefined)).toMatchObject({ owner: null, memory: { used: null } });
});
