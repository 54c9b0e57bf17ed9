import { defineConfig } from 'vitest/config';
import { LongestFirst } from './scripts/test-order.ts';

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.{ts,tsx}', 'tests/**/*.test.ts'],
    globalSetup: ['apps/server/src/platform/database/testing/global-setup.ts'],
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    // Half of what they take is waiting, for leases, cuts and ends: three keep two cores at work.
    maxWorkers: 3,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
