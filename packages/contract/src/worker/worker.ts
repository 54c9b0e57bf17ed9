/**
 * The worker's own routes, raw, under /api/worker. Every call carries `Authorization: Bearer <job token>`; the token is bound to
 * one attempt of one job and dies with it. A 401 or 409 tells the worker to stop at once.
 *
 *   POST /worker/claim                    ClaimInput → WorkOrder      once an attempt; a second claim by the same workerId gets the same order, by another 409
 *   GET  /worker/uploads/{bundle|patch}   the bytes
 *   POST /worker/logs                     LogBatch → LogAck           batches in order; a batch seen before is acknowledged and dropped
 *   POST /worker/report                   Report → Done               a phase begins, or facts become known; idempotent
 *   POST /worker/heartbeat                Heartbeat → Orders          long poll: answers at once on a cancel, else after waitSeconds
 *   PUT  /worker/artifacts/{name}         the bytes, ?kind=diff|file&partial=true&number=N, header X-Content-Sha256; a name again
 *                                         replaces what has a lower number. Each upload has a number of its own, said again with it.
 *                                         With a diff go its counts: &files=&insertions=&deletions=
 *   POST /worker/finish                   Finish → Done               last word; idempotent
 */
import { z } from 'zod';
import { DiffStat, Failure, GitRef, GitSha, JobId, Usage } from '../jobs.ts';
import { LogStream } from '../logs.ts';
import { Time } from '../shared.ts';

export const ClaimInput = z.object({
  workerId: z.string().min(8).max(64).describe('Random, made when the worker starts'),
  version: z.string().max(40),
  host: z.string().max(255),
  pid: z.number().int(),
});

/** More than one attempt ever makes. */
export const UPLOADS_MOST = 1_000_000;

const Count = z.coerce.number().int().min(0).optional();
/** Query of PUT /worker/artifacts/{name}. */
export const ArtifactQuery = z.object({
  kind: z.enum(['diff', 'file']),
  partial: z.stringbool().default(false),
  number: z.coerce
    .number()
    .int()
    .min(0)
    .max(UPLOADS_MOST - 1)
    .default(0),
  files: Count,
  insertions: Count,
  deletions: Count,
});

export const WorkOrder = z.object({
  jobId: JobId,
  attempt: z.number().int(),
  title: z.string(),
  spec: z.string(),
  agent: z.string().describe('A preset or a command'),
  repo: z.object({
    url: z.string().nullable(),
    ref: GitRef.nullable(),
    commit: GitSha.nullable(),
    bundle: z.boolean().describe('Fetch /worker/uploads/bundle'),
    patch: z.boolean().describe('Fetch /worker/uploads/patch and apply it; it is part of the base, not of the diff'),
    allowLocal: z
      .boolean()
      .default(false)
      .describe('May be cloned from the machine of the worker and its network link'),
  }),
  credential: z
    .object({
      kind: z.enum(['https-token', 'ssh-key']),
      host: z.string().nullable(),
      username: z.string().nullable(),
      value: z.string(),
      knownHosts: z.string().nullable(),
    })
    .nullable(),
  env: z.record(z.string(), z.string()),
  timeoutSeconds: z.number().int(),
  heartbeatSeconds: z.number().describe('Send a heartbeat at least this often'),
  checkpointSeconds: z.number().describe('Save a partial diff this often'),
  limits: z.object({ logBytes: z.number().int(), artifactBytes: z.number().int() }),
});
export type WorkOrder = z.infer<typeof WorkOrder>;

export const WorkerLine = z.object({ at: Time, stream: LogStream, text: z.string() });
export type WorkerLine = z.infer<typeof WorkerLine>;

const BATCH_LINES = 10_000;
export const LogBatch = z
  .object({
    seq: z.number().int().min(1).describe('1, 2, 3 … within the attempt'),
    lines: z.array(WorkerLine).min(1).max(BATCH_LINES),
  })
  // A worker sends one line a line. Line ends inside a text make lines of their own when stored, so they count.
  .refine(({ lines }) => linesIn(lines) <= BATCH_LINES, {
    path: ['lines'],
    message: `At most ${BATCH_LINES} lines, with those that line ends in a text make`,
  });
export type LogBatch = z.infer<typeof LogBatch>;

/** Stops counting soon after there are too many. */
function linesIn(lines: readonly WorkerLine[]): number {
  let count = lines.length;
  for (const { text } of lines)
    for (let at = text.indexOf('\n'); at !== -1 && count <= BATCH_LINES; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

export const LogAck = z.object({
  acked: z.number().int().describe('Highest seq stored; everything up to it may be forgotten'),
});

export const Report = z.object({
  phase: z.enum(['cloning', 'running', 'collecting']).optional(),
  at: Time,
  reason: z.string().max(500).optional().describe('In plain words, for people'),
  commit: GitSha.optional().describe('The commit the diff is against'),
  usage: Usage.optional().describe('What the agent has used so far'),
});
export type Report = z.infer<typeof Report>;

export const Heartbeat = z.object({
  waitSeconds: z.number().min(0).max(30).default(0),
  workerId: z.string().min(8).max(64),
});
export const Orders = z.object({ cancel: z.boolean(), reason: z.string().nullable() });
export type Orders = z.infer<typeof Orders>;

export const Outcome = z.enum(['succeeded', 'failed', 'cancelled', 'timed_out']);
export type Outcome = z.infer<typeof Outcome>;

export const Finish = z.object({
  outcome: Outcome,
  exitCode: z.number().int().nullable(),
  signal: z.string().max(20).nullable(),
  failure: Failure.nullable(),
  reason: z.string().max(1000),
  diff: DiffStat.nullable(),
  usage: Usage.optional(),
  at: Time,
  lastLogSeq: z.number().int().min(0).describe('The log is complete once this batch is stored'),
});
export type Finish = z.infer<typeof Finish>;
