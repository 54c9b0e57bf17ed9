import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, chooseNext } from './fairness.ts';

const none = {
  byUser: new Map<string, number>(),
  byProfile: new Map<string, number>(),
  total: 0,
  lastAdmitted: new Map<string, number>(),
};
const thingsOf = (userId: string, count: number, from: number, profile = 'local'): Candidate[] =>
  Array.from({ length: count }, (_, index) => ({ id: `${userId}${index}`, userId, profile, askedAt: from + index }));
const limits = (user: number, profile: number, total: number) => ({
  ofUser: () => user,
  ofProfile: () => profile,
  total,
});

describe('chooseNext', () => {
  it('lets two people with 100 each advance evenly, whoever came first', () => {
    const chosen = chooseNext([...thingsOf('a', 100, 0), ...thingsOf('b', 100, 1000)], none, limits(100, 1000, 10));
    expect(chosen).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4', 'b4']);
  });
  it('lets the person with fewer places in use catch up', () => {
    const chosen = chooseNext(
      [...thingsOf('a', 5, 0), ...thingsOf('b', 5, 1000)],
      { ...none, byUser: new Map([['a', 3]]), total: 3 },
      limits(10, 10, 6),
    );
    expect(chosen).toEqual(['b0', 'b1', 'b2']);
  });
  it('takes turns though there is but one place', () => {
    const waiting = [...thingsOf('a', 3, 0), ...thingsOf('b', 3, 1000)];
    const next = (lastAdmitted: Map<string, number>) => chooseNext(waiting, { ...none, lastAdmitted }, limits(5, 5, 1));
    expect(next(new Map())).toEqual(['a0']);
    expect(next(new Map([['a', 10]]))).toEqual(['b0']);
    expect(
      next(
        new Map([
          ['a', 10],
          ['b', 20],
        ]),
      ),
    ).toEqual(['a0']);
  });
  it('does not let a full profile block the rest of the queue', () => {
    const waiting = [
      ...thingsOf('a', 2, 0, 'full'),
      ...thingsOf('a', 1, 10, 'free').map((thing) => ({ ...thing, id: 'x' })),
    ];
    expect(
      chooseNext(waiting, none, { ofUser: () => 5, ofProfile: (name) => (name === 'full' ? 0 : 5), total: 5 }),
    ).toEqual(['x']);
  });
  it('holds every limit and wastes no place', () => {
    const candidate = fc.record({
      user: fc.constantFrom('a', 'b', 'c'),
      profile: fc.constantFrom('p', 'q'),
      askedAt: fc.nat(1000),
    });
    fc.assert(
      fc.property(
        fc.array(candidate, { maxLength: 40 }),
        fc.nat(6),
        fc.nat(6),
        fc.nat(12),
        (raw, perUser, perProfile, total) => {
          const waiting = raw.map((thing, index) => ({
            id: String(index),
            userId: thing.user,
            profile: thing.profile,
            askedAt: thing.askedAt,
          }));
          const chosen = new Set(chooseNext(waiting, none, limits(perUser, perProfile, total)));
          const count = (key: 'userId' | 'profile', value: string) =>
            waiting.filter((thing) => chosen.has(thing.id) && thing[key] === value).length;
          for (const user of ['a', 'b', 'c']) expect(count('userId', user)).toBeLessThanOrEqual(perUser);
          for (const profile of ['p', 'q']) expect(count('profile', profile)).toBeLessThanOrEqual(perProfile);
          expect(chosen.size).toBeLessThanOrEqual(total);
          const couldStart = waiting.some(
            (thing) =>
              !chosen.has(thing.id) &&
              count('userId', thing.userId) < perUser &&
              count('profile', thing.profile) < perProfile,
          );
          if (couldStart) expect(chosen.size).toBe(total);
        },
      ),
    );
  });
});
