import { expect, it } from 'vitest';
import { createHolds } from './job-holds.ts';

const periodEndsAt = new Date('2030-02-01T00:00:00Z');

it('holds people whose minutes are used up or whose account is disabled, and nobody else', async () => {
  const minutes: Record<string, number> = { spent: 100, left: 99.9 };
  const holds = createHolds({
    planOf: async (userId) => ({ minutesPerMonth: userId === 'free' ? null : 100 }),
    use: async (userId) => ({ minutes: minutes[userId] ?? 0, periodEndsAt }),
    isDisabled: async (userId) => userId === 'gone',
  });
  expect(await holds(['spent', 'left', 'free', 'gone'])).toEqual(
    new Map([
      ['spent', 'The 100 minutes of this month are used up: it waits until 2030-02-01, or for another plan'],
      ['gone', 'The account of its owner is disabled; an admin can enable it again'],
    ]),
  );
});

it('asks once for those who are looked at often', async () => {
  let asked = 0;
  const holds = createHolds({
    planOf: async () => ({ minutesPerMonth: 100 }),
    use: async () => {
      asked += 1;
      return { minutes: 0, periodEndsAt };
    },
    isDisabled: async () => false,
  });
  for (let turn = 0; turn < 20; turn++) await holds(['a', 'b']);
  expect(asked).toBe(2);
});
