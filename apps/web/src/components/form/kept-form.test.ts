import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { forget, keep, kept } from './kept-form.ts';

let stored: Map<string, string>;
beforeEach(() => {
  stored = new Map();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
    removeItem: (key: string) => void stored.delete(key),
  });
});
afterEach(() => vi.unstubAllGlobals());

const empty = { repo: '', size: '' as number | string, isDefault: false, token: '', env: [] as object[] };

it('is kept over a reload; of secrets nothing, of rows of secrets the names', () => {
  const env = [{ key: '1', name: 'TOKEN', value: 's3cret' }];
  keep('job', { ...empty, repo: 'r', size: 3, token: 's3cret', env }, ['token', 'env']);
  expect([...stored.values()].join()).not.toContain('s3cret');
  expect(kept('job', empty)).toEqual({ repo: 'r', size: 3, isDefault: false, env: [{ ...env[0], value: '' }] });
  forget('job');
  expect(kept('job', empty)).toEqual({});
});

it('takes nothing that is not its own', () => {
  stored.set('hangar.form.job', '{"repo":{},"size":"4","isDefault":"yes","env":[{"name":1},null],"other":"x"}');
  expect(kept('job', empty)).toEqual({ size: '4' });
  stored.set('hangar.form.job', 'no json');
  expect(kept('job', empty)).toEqual({});
  expect(kept(undefined, empty)).toEqual({});
});
