import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, chooseNext } from './job-fairness.ts';

const none = {
  byUser: new Map<string, number>(),
  byProfile: new Map<string, number>(),
  total: 0,
  lastAdmitted: new Map<string, number>(),
};
const jobsOf = (userId: string, count: number, from: number, profile = 'local'): Candidate[] =>
  Array.from({ length: count }, (_, index) => ({ id: `${userId}${index}`, userId, profile, createdAt: from + index }));
const limits = (user: number, profile: number, total: number) => ({
  ofUser: () => user,
  ofProfile: () => profile,
  total,
});

describe('chooseNext', () => {
  it('lets two people with 100 jobs each advance evenly, whoever came first', () => {
    const chosen = chooseNext([...jobsOf('a', 100, 0), ...jobsOf('b', 100, 1000)], none, limits(100, 1000, 10));
    expect(chosen).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4', 'b4']);
  });
  it('lets the person with fewer running jobs catch up', () => {
    const chosen = chooseNext(
      [...jobsOf('a', 5, 0), ...jobsOf('b', 5, 1000)],
      { ...none, byUser: new Map([['a', 3]]), total: 3 },
      limits(10, 10, 6),
    );
    expect(chosen).toEqual(['b0', 'b1', 'b2']);
  });
  it('takes turns though there is but one place', () => {
    const waiting = [...jobsOf('a', 3, 0), ...jobsOf('b', 3, 1000)];
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
    const waiting = [...jobsOf('a', 2, 0, 'full'), ...jobsOf('a', 1, 10, 'free').map((job) => ({ ...job, id: 'x' }))];
    expect(
      chooseNext(waiting, none, { ofUser: () => 5, ofProfile: (name) => (name === 'full' ? 0 : 5), total: 5 }),
    ).toEqual(['x']);
  });
  it('holds every limit and wastes no place', () => {
    const candidate = fc.record({
      user: fc.constantFrom('a', 'b', 'c'),
      profile: fc.constantFrom('p', 'q'),
      createdAt: fc.nat(1000),
    });
    fc.assert(
      fc.property(
        fc.array(candidate, { maxLength: 40 }),
        fc.nat(6),
        fc.nat(6),
        fc.nat(12),
        (raw, perUser, perProfile, total) => {
          const waiting = raw.map((job, index) => ({
            id: String(index),
            userId: job.user,
            profile: job.profile,
            createdAt: job.createdAt,
          }));
          const chosen = new Set(chooseNext(waiting, none, limits(perUser, perProfile, total)));
          const count = (key: 'userId' | 'profile', value: string) =>
            waiting.filter((job) => chosen.has(job.id) && job[key] === value).length;
          for (const user of ['a', 'b', 'c']) expect(count('userId', user)).toBeLessThanOrEqual(perUser);
          for (const profile of ['p', 'q']) expect(count('profile', profile)).toBeLessThanOrEqual(perProfile);
          expect(chosen.size).toBeLessThanOrEqual(total);
          const couldStart = waiting.some(
            (job) =>
              !chosen.has(job.id) &&
              count('userId', job.userId) < perUser &&
              count('profile', job.profile) < perProfile,
          );
          if (couldStart) expect(chosen.size).toBe(total);
        },
      ),
    );
  });
});
