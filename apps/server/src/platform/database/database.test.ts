import { afterAll, beforeAll, expect, test } from 'vitest';
import { settingsStore } from './index.ts';
import { createTestDatabase } from './testing/index.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.drop();
});

test('settings are kept, and getOrSet answers everyone alike', async () => {
  const settings = settingsStore(database.db);
  expect(await settings.get('canary')).toBeUndefined();
  await settings.set('canary', { a: 1 });
  expect(await settings.get('canary')).toEqual({ a: 1 });
  const answers = await Promise.all([1, 2, 3, 4].map((n) => settings.getOrSet('id', `i${n}`)));
  expect(new Set(answers).size).toBe(1);
});
