import { expect, it } from 'vitest';
import { byField } from './use-schema-form.ts';

it('an error stands at the field whose path it begins with, the longest first; what belongs to none is told apart', () => {
  const found = byField({ 'limits.cpus': 'a', 'readable.3': 'b', 'env.A.B': 'c', environment: 'd', '': 'e' }, [
    'limits.cpus',
    'readable',
    'env',
  ]);
  expect(found).toEqual({
    errors: { 'limits.cpus': 'a', readable: 'b', env: 'c' },
    rest: ['environment: d', 'e'],
  });
});

it('a form may name the field of an error itself', () => {
  const fieldOf = ({ path }: { path: string }) => (path === 'repo.url' ? 'address' : undefined);
  expect(byField({ 'repo.url': 'x', ref: 'y' }, ['address', 'ref'], fieldOf)).toEqual({
    errors: { address: 'x', ref: 'y' },
    rest: [],
  });
});
