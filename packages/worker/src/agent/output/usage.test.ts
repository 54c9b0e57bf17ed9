import { Usage } from '@hangar/contract';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { usageOf } from './usage.ts';

const odd = fc.oneof(
  fc.nat(),
  fc.integer(),
  fc.double(),
  fc.constantFrom(null, undefined, '', 'x'.repeat(200), 'x'.repeat(201), 2 ** 53, true),
);
const good = { inputTokens: 1, cachedInputTokens: null, outputTokens: 2, costUsd: 0.5, model: 'm', turns: 3 };

it('takes and refuses what the schema of the contract does', () => {
  const expected = (value: unknown) => Usage.safeParse(value).data ?? null;
  for (const value of [good, null, undefined, [], 'text', { ...good, more: 1 }])
    expect(usageOf(value)).toEqual(expected(value));
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(good)), odd, (name, value) => {
      const changed = { ...good, [name]: value };
      expect(usageOf(changed)).toEqual(expected(changed));
    }),
  );
});
