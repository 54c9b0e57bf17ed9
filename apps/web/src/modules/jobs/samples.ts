import type { Artifact, JobDetail, JobEvent, JobPhase, JobState, Phase } from '@hangar/contract';
import { ago, NOW } from '../../gallery/samples.ts';

/** Jobs for the gallery: one in each state. */

const soon = (seconds: number): string => new Date(new Date(NOW).getTime() + seconds * 1000).toISOString();

const phase = (name: JobPhase, from: number, to: number | null, reason: string | null = null): Phase => ({
  name,
  startedAt: ago(from),
  endedAt: to === null ? null : ago(to),
  reason,
});

const event = (at: number, state: JobState, reason: string, attempt = 1): JobEvent => ({
  at: ago(at),
  state,
  reason,
  attempt,
});

export const SPEC = `---
agent: claude
timeout: 45m
resources:
  cpus: 2
  memory: 4g
---
# Add full-text search to the notes list

Search in title and body, rank by how early the words stand.

- Keep the existing filter by tag.
- Add tests.

\`\`\`sh
npm ci
npm test
\`\`\`
`;

const base: JobDetail = {
  id: 'j_7k2m9qx4',
  title: 'Add full-text search to the notes list',
  state: 'running',
  stateSince: ago(187),
  reason: 'The agent works',
  cancelRequestedAt: null,
  owner: { id: 'u_ada0001', name: 'Ada Lovelace' },
  agent: 'claude',
  profile: 'docker',
  driver: 'docker',
  sandbox: null,
  repo: {
    name: 'acme/notes',
    url: 'https://git.example.com/acme/notes.git',
    ref: 'main',
    commit: '4f1c2ab90d3e5f67a8b9c0d1e2f30415263748a9',
    fromCheckout: false,
  },
  image: 'node:24-bookworm',
  resources: { cpus: 2, memoryBytes: 4 * 1024 ** 3, pids: 512 },
  timeoutSeconds: 2700,
  credential: 'example-git',
  createdAt: ago(204),
  startedAt: ago(187),
  finishedAt: null,
  elapsedSeconds: 204,
  phases: [
    phase('queued', 204, 198),
    phase('starting', 198, 195.6, 'Image node:24-bookworm was here'),
    phase('cloning', 195.6, 187, '1,204 files at 4f1c2ab'),
    phase('running', 187, null),
  ],
  queue: null,
  eta: { earliestAt: soon(180), latestAt: soon(320), basis: 12 },
  exitCode: null,
  failure: null,
  diff: { filesChanged: 3, insertions: 84, deletions: 12, sizeBytes: 6200, partial: true },
  logLines: 1482,
  version: 1,
  retryOf: null,
  spec: SPEC,
  envNames: ['ANTHROPIC_API_KEY'],
  events: [
    event(204, 'queued', 'Submitted'),
    event(198, 'starting', 'A place is free'),
    event(195.6, 'cloning', 'The worker reported'),
    event(187, 'running', 'The agent works'),
  ],
  lastWordFromWorkerAt: ago(2),
  usage: { inputTokens: 48_210, cachedInputTokens: 31_000, outputTokens: 2_940, costUsd: 0.23, model: null, turns: 9 },
  group: null,
  typical: [
    { name: 'queued', medianSeconds: 4, basis: 12 },
    { name: 'starting', medianSeconds: 2.1, basis: 12 },
    { name: 'cloning', medianSeconds: 9.5, basis: 12 },
    { name: 'running', medianSeconds: 260, basis: 12 },
    { name: 'collecting', medianSeconds: 1.2, basis: 12 },
  ],
  evidence: null,
  kept: { logUntil: null, logRemovedAt: null, artifactsUntil: null, artifactsRemovedAt: null },
};

const ended = { eta: null, queue: null };

export const running: JobDetail = base;

export const inSandbox: JobDetail = {
  ...base,
  ...{ id: 'j_7c5x9rw2', title: 'Try the search with Node 26', image: 'node:26-bookworm' },
  ...{ sandbox: 's_4k8m2qx7p1', resources: {}, envNames: [] },
  phases: base.phases.map((of) => (of.name === 'starting' ? { ...of, reason: null } : of)),
};

export const queued: JobDetail = {
  ...base,
  id: 'j_3d8w1pv6',
  title: 'Translate the settings pages',
  state: 'queued',
  stateSince: ago(95),
  reason: 'Waiting for a free place: position 3, your plan runs 2 at once',
  createdAt: ago(95),
  startedAt: null,
  elapsedSeconds: 95,
  phases: [phase('queued', 95, null)],
  queue: { position: 3, running: 2, limit: 2 },
  eta: { earliestAt: soon(900), latestAt: soon(1500), basis: 12 },
  diff: null,
  logLines: 0,
  events: [event(95, 'queued', 'Submitted')],
  lastWordFromWorkerAt: null,
};

export const starting: JobDetail = {
  ...base,
  id: 'j_5r2x8nc1',
  title: 'Upgrade to PostgreSQL 18',
  state: 'starting',
  stateSince: ago(34),
  reason: 'Pulling image node:24-bookworm, 212 of 390 MB',
  createdAt: ago(36),
  startedAt: null,
  phases: [phase('queued', 36, 34), phase('starting', 34, null, 'Pulling image node:24-bookworm, 212 of 390 MB')],
  eta: null,
  diff: null,
  logLines: 4,
  events: [event(36, 'queued', 'Submitted'), event(34, 'starting', 'A place is free')],
  lastWordFromWorkerAt: null,
};

export const cancelling: JobDetail = {
  ...base,
  id: 'j_6c4v7bt2',
  cancelRequestedAt: ago(3),
  reason: 'Cancelled by Ada Lovelace, the partial diff is being saved',
};

export const succeeded: JobDetail = {
  ...base,
  ...ended,
  id: 'j_4p8v1cz0',
  title: 'Correct the time zone of the export',
  state: 'succeeded',
  stateSince: ago(1074),
  reason: '3 files changed',
  agent: 'shell',
  createdAt: ago(1500),
  startedAt: ago(1489),
  finishedAt: ago(1074),
  phases: [
    phase('queued', 1500, 1499.8),
    phase('starting', 1499.8, 1497),
    phase('cloning', 1497, 1489, '1,204 files at 4f1c2ab'),
    phase('running', 1489, 1076),
    phase('collecting', 1076, 1074, '6.2 kB'),
  ],
  exitCode: 0,
  diff: { filesChanged: 3, insertions: 84, deletions: 12, sizeBytes: 6200, partial: false },
  events: [
    ...base.events,
    event(1076, 'collecting', 'The agent ended with 0'),
    event(1074, 'succeeded', '3 files changed'),
  ],
};

export const nothingChanged: JobDetail = {
  ...succeeded,
  id: 'j_8n3k5wq9',
  title: 'Run the long tests',
  reason: 'The agent changed nothing',
  diff: { filesChanged: 0, insertions: 0, deletions: 0, sizeBytes: 0, partial: false },
};

export const leftBehind: JobDetail = {
  ...succeeded,
  id: 'j_2r7m4xd6',
  title: 'Raise the parser to its new version',
  diff: {
    ...{ filesChanged: 3, insertions: 84, deletions: 12, sizeBytes: 6200, partial: false },
    leftOut: [
      'What was done in the submodule vendor/parser is not in the diff: commit 4f1c2ab09d, which its remote does not have; src/lexer.c, src/lexer.h',
      'Commits on branches that are not checked out are not in the diff: try-two (3 commits)',
    ],
  },
};

export const failed: JobDetail = {
  ...succeeded,
  id: 'j_9t5w3bn7',
  title: 'Move the build to Node 24',
  state: 'failed',
  stateSince: ago(5312),
  reason: 'The agent ended with exit code 1',
  agent: 'codex',
  createdAt: ago(5400),
  startedAt: ago(5380),
  finishedAt: ago(5312),
  phases: [
    phase('queued', 5400, 5399.5),
    phase('starting', 5399.5, 5396),
    phase('cloning', 5396, 5380),
    phase('running', 5380, 5312, 'Exit code 1'),
  ],
  exitCode: 1,
  evidence: { n: 61, text: 'npm error code EBADENGINE' },
  failure: {
    code: 'agent_failed',
    message: 'The agent ended with exit code 1.',
    wayOut: 'Read the end of the log, correct the spec, then retry.',
  },
  diff: { filesChanged: 2, insertions: 11, deletions: 3, sizeBytes: 900, partial: true },
};

export const badCredential: JobDetail = {
  ...failed,
  id: 'j_2h6f9ds3',
  title: 'Remove the old importer',
  phases: [phase('queued', 5400, 5399.5), phase('starting', 5399.5, 5396), phase('cloning', 5396, 5312, 'Refused')],
  startedAt: null,
  exitCode: null,
  reason: 'The git server refused the credential',
  failure: {
    code: 'repo_auth_failed',
    message:
      'The git server refused the credential. remote: HTTP Basic: Access denied for https://git.example.com/acme/importer.git',
    wayOut: 'Add a credential that may read it: hangar cloud credentials add',
  },
  diff: null,
  evidence: null,
  logLines: 6,
};

export const cancelled: JobDetail = {
  ...failed,
  id: 'j_1z9y8xw7',
  title: 'Rewrite the parser',
  state: 'cancelled',
  stateSince: ago(7200),
  reason: 'Cancelled by Ada Lovelace',
  exitCode: null,
  failure: null,
  cancelRequestedAt: ago(7204),
  phases: [
    phase('queued', 7400, 7399),
    phase('starting', 7399, 7396),
    phase('cloning', 7396, 7390),
    phase('running', 7390, 7200, 'Cancelled'),
  ],
  finishedAt: ago(7200),
};

export const timedOut: JobDetail = {
  ...failed,
  id: 'j_0q4w2e6r',
  title: 'Find the memory leak',
  state: 'timed_out',
  stateSince: ago(90_000),
  reason: 'The agent ran for its 45 min',
  exitCode: null,
  createdAt: ago(92_710),
  finishedAt: ago(90_000),
  phases: [
    phase('queued', 92_710, 92_709),
    phase('starting', 92_709, 92_706),
    phase('cloning', 92_706, 92_700),
    phase('running', 92_700, 90_000, 'Stopped at the limit of 45 min'),
  ],
  failure: {
    code: 'job_timeout',
    message: 'The agent ran longer than 45 min.',
    wayOut: 'Give it more time: --timeout 2h',
  },
};

export const lost: JobDetail = {
  ...failed,
  id: 'j_5t7y9u1i',
  title:
    'Sort the imports of every file in the repository, and a title that is long enough to need more than one line of a phone',
  state: 'lost',
  stateSince: ago(172_800),
  reason: 'No word from the worker for 90 s',
  exitCode: null,
  failure: {
    code: 'worker_lost',
    message: 'The worker stopped reporting. Its machine may be gone.',
    wayOut: 'Its last checkpoint is kept. Retry starts again from the base commit.',
  },
};

export const all: readonly JobDetail[] = [
  queued,
  starting,
  running,
  inSandbox,
  cancelling,
  succeeded,
  nothingChanged,
  failed,
  badCredential,
  cancelled,
  timedOut,
  lost,
];

export const artifacts: readonly Artifact[] = [
  {
    name: 'diff',
    kind: 'diff',
    contentType: 'text/x-diff',
    sizeBytes: 6200,
    sha256: 'a3'.repeat(32),
    partial: false,
    createdAt: ago(1074),
  },
  {
    name: 'report/coverage.html',
    kind: 'file',
    contentType: 'text/html',
    sizeBytes: 482_113,
    sha256: 'b7'.repeat(32),
    partial: false,
    createdAt: ago(1074),
  },
];
