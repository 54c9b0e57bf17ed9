import type { Me, Person, Plan } from '@hangar/contract';
import { ago } from './samples.ts';

export const plan: Plan = {
  id: 'team',
  title: 'Team',
  jobsAtOnce: 4,
  jobsWaiting: 50,
  sandboxesAtOnce: 10,
  minutesPerMonth: 3000,
  maxTimeoutSeconds: 4 * 3600,
  maxArtifactBytes: 512 * 1024 * 1024,
  maxLogBytes: 100 * 1024 * 1024,
  keepLogDays: 30,
  keepArtifactDays: 90,
  keepBytes: 20 * 1024 ** 3,
};

export const ada: Person = {
  id: 'u_ada0001',
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  role: 'admin',
  planId: 'team',
  disabled: false,
  hasPassword: true,
  createdAt: ago(86_400 * 40),
  lastSeenAt: ago(20),
};

export const me: Me = {
  user: ada,
  plan,
  use: {
    jobsRunning: 2,
    jobsWaiting: 3,
    sandboxesOpen: 4,
    minutesThisMonth: 1284.5,
    periodEndsAt: '2026-06-01T00:00:00.000Z',
  },
  identity: { kind: 'session', name: 'Chromium on Linux', expiresAt: '2026-06-03T14:02:11.000Z' },
  server: { version: '0.1.0', url: 'http://127.0.0.1:7070' },
};
