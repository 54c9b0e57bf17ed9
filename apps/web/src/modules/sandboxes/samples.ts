import type { Execution, MachineLoad, Sandbox } from '@hangar/contract';
import { ago } from '../../gallery/samples.ts';

/** Sandboxes for the gallery: one in each state, and what was executed in one of them. */
const base: Sandbox = {
  ...{ id: 's_4k8m2qx7p1', version: 12, name: 'try-node-26', state: 'running', stateSince: ago(1900) },
  ...{ reason: 'Its machine runs', failure: null, session: { state: 'connected', since: ago(1900), detail: null } },
  owner: { id: 'u_ada0001', name: 'Ada Lovelace' },
  ...{
    profile: 'docker',
    driver: 'docker',
    image: 'node:26-bookworm',
    resources: { cpus: 2, memoryBytes: 4 * 1024 ** 3 },
  },
  ...{ job: null, tree: null },
  ...{ envNames: ['NPM_TOKEN'], metadata: { ticket: 'NOTES-412' } },
  ...{ createdAt: ago(1910), readyAt: ago(1900), finishedAt: null, lastActivity: ago(12), closeRequestedAt: null },
  ...{ idleSeconds: 3600, lifetimeSeconds: 86_400, closesAt: ago(-3588), closesSoon: null, executionsRunning: 1 },
};
const closed = { closesAt: null, executionsRunning: 0 };

export const running = base;
export const queued: Sandbox = {
  ...base,
  ...{ id: 's_1d8w3pv6a2', name: 'bisect', state: 'queued', stateSince: ago(40), reason: 'Waiting for a free place' },
  ...{ session: { state: 'none', since: null, detail: null }, readyAt: null, closesAt: null, executionsRunning: 0 },
};
export const starting: Sandbox = {
  ...queued,
  ...{ id: 's_2r5x8nc1b3', name: null, state: 'starting', stateSince: ago(14) },
  reason: 'Pulling image node:26-bookworm (212 of 390 MB)',
};
export const reconnecting: Sandbox = {
  ...base,
  ...{ id: 's_3h6f9ds3c4', name: 'build-box', profile: 'build-box', driver: 'ssh', image: null, executionsRunning: 3 },
  reason: 'Its machine cannot be reached: build-box.example.com does not answer',
  session: { state: 'reconnecting', since: ago(21), detail: 'build-box.example.com does not answer' },
};
export const soon: Sandbox = {
  ...base,
  ...{
    id: 's_9c2v7bt2d5',
    name: 'left alone',
    lastActivity: ago(3420),
    closesAt: ago(-180),
    closesSoon: 'idle',
    executionsRunning: 0,
  },
  reason: 'Closes soon unless something is done in it: nobody has used it',
};
export const paused: Sandbox = {
  ...base,
  ...{ id: 's_5p8v1cz0e6', name: 'over the weekend', state: 'paused', reason: 'Paused', executionsRunning: 0 },
  session: { state: 'disconnected', since: ago(7200), detail: 'It is paused' },
};
export const closing: Sandbox = {
  ...{
    ...base,
    ...closed,
    id: 's_6n3k5wq9f7',
    name: 'closing one',
    state: 'closing',
    reason: 'Its machine is being removed',
  },
  closeRequestedAt: ago(3),
};
export const ended: Sandbox = {
  ...{ ...base, ...closed, id: 's_7m4d2xr6g8', name: 'yesterday', state: 'closed', reason: 'Closed: nobody used it' },
  ...{ stateSince: ago(80_000), finishedAt: ago(80_000) },
  session: { state: 'disconnected', since: ago(80_000), detail: 'Closed: nobody used it' },
};
export const failed: Sandbox = {
  ...{ ...base, ...closed, id: 's_8t5w3bn7h9', name: null, state: 'failed', readyAt: null, finishedAt: ago(300) },
  ...{
    image: 'node:62',
    reason: 'The image node:62 was not found.',
    session: { state: 'error', since: ago(300), detail: null },
  },
  failure: {
    ...{ code: 'image_not_found', message: 'The image node:62 was not found.' },
    wayOut: 'Check --image: the machine that runs it must have it, or be able to pull it.',
  },
};
export const lost: Sandbox = {
  ...{ ...base, ...closed, id: 's_0q4w2e6r10', name: 'gone', state: 'lost', finishedAt: ago(9000) },
  ...{ reason: 'The machine of the sandbox is gone.', session: { state: 'error', since: ago(9000), detail: null } },
  failure: {
    ...{ code: 'sandbox_gone', message: 'The machine of the sandbox is gone.' },
    wayOut: 'Open another one: hangar sandbox open',
  },
};
export const ofJob: Sandbox = {
  ...{ ...base, id: 's_b7n4v2cx81', name: null, job: 'j_7k2m9p4x1a' },
  tree: { path: '/root/j_7k2m9p4x1a/tree', commit: '4f1c2ab'.padEnd(40, '0'), partial: true },
};
export const preparing: Sandbox = {
  ...{ ...starting, id: 's_c8m5w3dy92', job: 'j_7k2m9p4x1a' },
  reason: 'Cloning https://git.example.com/acme/notes.git',
};
export const all: readonly Sandbox[] = [
  ...[queued, starting, running, reconnecting, soon, paused, closing, ended, failed, lost],
];

const execution: Execution = {
  ...{ id: 'e_1aaaaaaaaa', version: 2, sandbox: base.id, job: null, title: 'npm test -- --watch', state: 'running' },
  ...{ stateSince: ago(64), reason: 'It runs', failure: null, cancelRequestedAt: null, terminal: false, stdin: false },
  ...{ createdAt: ago(65), startedAt: ago(64), finishedAt: null, exitCode: null, signal: null },
  ...{ output: { stdout: 0, stderr: 0, truncated: false }, leftover: 0 },
};
/** The worker of a job that works in the sandbox. */
export const worker: Execution = {
  ...{ ...execution, id: 'e_6aaaaaaaaa', job: 'j_7c5x9rw2', title: 'Worker of j_7c5x9rw2' },
  startedAt: ago(187),
};
export const executions: readonly Execution[] = [
  execution,
  worker,
  { ...execution, id: 'e_5aaaaaaaaa', title: 'shell', terminal: true, stdin: true, startedAt: ago(700) },
  {
    ...{
      ...execution,
      id: 'e_2aaaaaaaaa',
      title: 'git clone --depth 1 https://git.example.com/acme/notes.git',
      state: 'succeeded',
    },
    ...{ exitCode: 0, startedAt: ago(400), finishedAt: ago(391), reason: 'Done' },
  },
  {
    ...{ ...execution, id: 'e_3aaaaaaaaa', title: 'make lint', state: 'failed', exitCode: 2 },
    ...{ startedAt: ago(300), finishedAt: ago(288), reason: 'It ended with exit code 2' },
  },
  {
    ...{ ...execution, id: 'e_4aaaaaaaaa', title: 'sleep 600', state: 'cancelled', exitCode: 143, signal: 'SIGTERM' },
    ...{ startedAt: ago(900), finishedAt: ago(860), cancelRequestedAt: ago(861), reason: 'Cancelled.' },
  },
];

/** What a machine used in the last minutes. */
export const load: readonly MachineLoad[] = Array.from({ length: 150 }, (_, n) => ({
  ...{ at: ago(150 - n), elapsedMs: n * 1000, cpusMost: 2, memoryMost: 4 * 2 ** 30, diskMost: 40 * 2 ** 30 },
  cpus: n === 0 ? null : 0.7 + 0.6 * Math.sin(n / 9) ** 2 + (n % 7) / 20,
  ...{ memoryBytes: (0.9 + n / 120) * 2 ** 30, diskBytes: 9.1 * 2 ** 30 },
}));
