import { expect, it } from 'vitest';
import { createHolds } from './job-holds.ts';

const periodEndsAt = new Date('2030-02-01T00:00:00Z');
const standing = (ids: readonly string[]) =>
  new Map(
    ids.map((id) => [
      id,
      { plan: { minutesPerMonth: id === 'free' ? null : 100, jobsAtOnce: 1 }, disabled: id === 'gone' },
    ]),
  );

it('holds people whose minutes are used up or whose account is disabled, and nobody else', async () => {
  const minutes: Record<string, number> = { spent: 100, left: 99.9 };
  const holds = createHolds({
    standingOf: async (ids) => standing(ids.filter((id) => id !== 'nobody')),
    uses: async (ids) => new Map(ids.map((id) => [id, { minutes: minutes[id] ?? 0, periodEndsAt }])),
  });
  expect(await holds(['spent', 'left', 'free', 'gone', 'nobody'])).toEqual(
    new Map([
      ['spent', 'The 100 minutes of this month are used up: it waits until 2030-02-01, or for another plan'],
      ['gone', 'The account of its owner is disabled; an admin can enable it again'],
      ['nobody', 'Its owner is not on this server any more'],
    ]),
  );
});

it('asks once for any number of people, and once for those who are looked at often', async () => {
  let asked = 0;
  const holds = createHolds({
    standingOf: async (ids) => standing(ids),
    uses: async (ids) => {
      asked += 1;
      return new Map(ids.map((id) => [id, { minutes: 0, periodEndsAt }]));
    },
  });
  for (let turn = 0; turn < 20; turn++) await holds(['a', 'b']);
  expect(asked).toBe(1);
});
