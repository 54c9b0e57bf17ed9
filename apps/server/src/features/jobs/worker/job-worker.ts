import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  type DiffStat,
  type Failure,
  type Finish,
  HangarError,
  isFinal,
  LOG_HEADROOM_BYTES,
  type LogBatch,
  type Orders,
  type Report,
  UPLOADS_MOST,
  type WorkOrder,
} from '@hangar/contract';
import { JOB_WORDS } from '@hangar/contract/words/job';
import type { Blobs } from '../../../platform/blobs/blobs.ts';
import type { Live } from '../../../platform/live/live.ts';
import { failureOf, mayComeBack } from '../lifecycle/job-endings.ts';
import type { CredentialsOfJobs, Environment, LogsOfJobs, PeopleOfJobs, SandboxesOfJobs } from '../needs.ts';
import { tooManyBytes } from '../store/job-files.ts';
import type { JobsStore } from '../store/jobs-store.ts';
import type { JobRow } from '../store/jobs-tables.ts';
import { credentialOf, environmentOfJob, repoOf } from './work-order.ts';
import type { WorkerIdentity } from './worker-token.ts';

export interface JobWorkerParts {
  readonly store: JobsStore;
  readonly blobs: Blobs;
  readonly people: Pick<PeopleOfJobs, 'planOf'>;
  readonly credentials: Pick<CredentialsOfJobs, 'open'>;
  readonly sandboxes: Pick<SandboxesOfJobs, 'environmentOf'>;
  readonly environment: Pick<Environment, 'open'>;
  readonly logs: Pick<LogsOfJobs, 'append' | 'storedSeq'>;
  readonly live: Pick<Live, 'untilChanged'>;
  readonly allowLocalRepos: boolean;
  readonly heartbeatSeconds: number;
  readonly checkpointSeconds: number;
}

/** Attempts whose limits are kept in memory. */
const REMEMBERED = 5_000;

/** What a worker asks and tells. It writes what was seen; the state follows by `decide`. */
export function createJobWorker(parts: JobWorkerParts) {
  const { store } = parts;
  /** maxLogBytes and maxArtifactBytes of running attempts: read once, not with each batch. */
  const limits = new Map<string, { attempt: number; logBytes: number; artifactBytes: number }>();
  /** The end of an attempt may be told to another server: then nothing here would ever forget it. */
  const remember = (jobId: string, found: { attempt: number; logBytes: number; artifactBytes: number }) => {
    limits.set(jobId, found);
    if (limits.size <= REMEMBERED) return;
    const [oldest] = limits.keys();
    if (oldest !== undefined) limits.delete(oldest);
  };

  async function current({ jobId, attempt }: WorkerIdentity): Promise<JobRow> {
    const row = await store.byId(jobId);
    if (!row || row.attempt !== attempt) throw new HangarError('worker_token_invalid');
    return row;
  }
  async function running(worker: WorkerIdentity): Promise<JobRow> {
    const row = await current(worker);
    refuseEnded(row);
    return row;
  }
  /** A job that is not there is no job of this token. */
  const advance = (worker: WorkerIdentity, change: Parameters<JobsStore['advance']>[1]) =>
    store.advance(worker.jobId, change).catch((error: unknown) => {
      throw error instanceof HangarError && error.code === 'job_not_found'
        ? new HangarError('worker_token_invalid')
        : error;
    });
  async function limitsOf(worker: WorkerIdentity): Promise<{ logBytes: number; artifactBytes: number }> {
    const known = limits.get(worker.jobId);
    if (known?.attempt === worker.attempt) return known;
    const { userId } = await current(worker);
    const plan = await parts.people.planOf(userId);
    const found = { attempt: worker.attempt, logBytes: plan.maxLogBytes, artifactBytes: plan.maxArtifactBytes };
    remember(worker.jobId, found);
    return found;
  }

  async function workOrder(row: JobRow): Promise<WorkOrder> {
    const [{ logBytes, artifactBytes }, order] = await Promise.all([
      limitsOf({ jobId: row.id, attempt: row.attempt }),
      store.orderOf(row.id),
    ]);
    return {
      jobId: row.id,
      attempt: row.attempt,
      title: row.title,
      spec: order.spec,
      agent: row.agent,
      repo: repoOf(row, parts.allowLocalRepos),
      credential: row.credential === null ? null : await credentialOf(parts.credentials, row.userId, row.credential),
      env: await environmentOfJob(parts, row, order),
      timeoutSeconds: row.timeoutSeconds,
      heartbeatSeconds: parts.heartbeatSeconds,
      checkpointSeconds: parts.checkpointSeconds,
      limits: { logBytes, artifactBytes },
    };
  }

  return {
    /** Gives the work order, to one worker only. A second worker of the same attempt is turned away. */
    async claim(worker: WorkerIdentity, workerId: string): Promise<WorkOrder> {
      const row = await running(worker);
      let order: WorkOrder;
      try {
        order = await workOrder(row);
      } catch (error) {
        if (!(error instanceof HangarError) || error.kind === 'unavailable') throw error;
        await fail(worker, failureOf(error.code, error.message));
        throw new HangarError('worker_fenced', { message: error.message });
      }
      await advance(worker, (now, at) => {
        if (now.attempt !== worker.attempt || isFinal(now.state) || now.cancelRequestedAt !== null || now.finished)
          throw new HangarError('worker_fenced');
        if (now.workerId !== null && now.workerId !== workerId) throw new HangarError('worker_fenced');
        return { workerId, claimedAt: now.claimedAt ?? at, heardAt: at, launchedAt: now.launchedAt ?? at };
      });
      return order;
    },

    async upload(
      worker: WorkerIdentity,
      which: 'bundle' | 'patch',
      signal: AbortSignal,
    ): Promise<{ body: Readable; sizeBytes: number }> {
      const row = await running(worker);
      const id = which === 'bundle' ? row.bundleId : row.patchId;
      const upload = id === null ? null : await store.upload(id, row.userId);
      const blob = upload && (await parts.blobs.get(upload.blobKey, { signal }));
      if (!blob) throw new HangarError('upload_not_found');
      return blob;
    },

    async log(worker: WorkerIdentity, batch: LogBatch): Promise<number> {
      const { logBytes } = await limitsOf(worker);
      // The worker cuts at its limit and says so; this is the wall behind it.
      return parts.logs.append(worker.jobId, String(worker.attempt), batch, {
        maxBytes: logBytes + LOG_HEADROOM_BYTES,
      });
    },

    async report(worker: WorkerIdentity, report: Report): Promise<void> {
      await advance(worker, (row, now) => {
        if (row.attempt !== worker.attempt) throw new HangarError('worker_token_invalid');
        refuseEnded(row);
        return {
          heardAt: now,
          ...(report.phase && order(report.phase) >= order(row.reportedPhase) ? { reportedPhase: report.phase } : {}),
          ...(report.phase || report.reason !== undefined ? { reportedReason: report.reason ?? null } : {}),
          ...(report.commit !== undefined ? { repoCommit: report.commit } : {}),
          ...(report.usage !== undefined ? { usage: report.usage } : {}),
        };
      });
    },

    /** A long poll: answers at once when the job is to be cancelled. */
    async heartbeat(worker: WorkerIdentity, waitSeconds: number, signal: AbortSignal): Promise<Orders> {
      const look = async (): Promise<Orders> => {
        const heard = await store.heard(worker.jobId, worker.attempt);
        if (!heard) throw new HangarError('worker_token_invalid');
        if (heard.final) throw new HangarError('worker_fenced');
        return { cancel: heard.cancel, reason: heard.cancel ? 'The job was cancelled' : null };
      };
      const wait = AbortSignal.any([signal, AbortSignal.timeout(Math.max(0, waitSeconds) * 1_000)]);
      const poked = parts.live.untilChanged(worker.jobId, wait);
      const now = await look();
      if (now.cancel || waitSeconds === 0 || signal.aborted) return now;
      await poked;
      return signal.aborted ? now : look();
    },

    async artifact(
      worker: WorkerIdentity,
      artifact: {
        name: string;
        kind: 'diff' | 'file';
        contentType: string;
        partial: boolean;
        sha256: string | undefined;
        /** Of all uploads of this attempt. */
        number: number;
        /** Of a diff. */
        counts: Pick<DiffStat, 'filesChanged' | 'insertions' | 'deletions'> | null;
      },
      body: Readable,
      signal: AbortSignal,
    ): Promise<void> {
      // One that is no file by its kind would not count as one; a file of that name would stand where the diff is looked for.
      if ((artifact.kind === 'diff') !== (artifact.name === 'diff'))
        throw new HangarError('bad_request', { message: 'The diff alone is called diff.' });
      await running(worker);
      const { artifactBytes } = await limitsOf(worker);
      const used = await store.artifactBytes(worker.jobId, artifact.name);
      const room = artifactBytes - used;
      // A key of its own each time: until the row names the new bytes, the ones before stay whole and in place.
      const blobKey = `jobs/${worker.jobId}/${worker.attempt}/${artifact.kind}-${randomBytes(12).toString('hex')}`;
      const maxBytes = Math.max(0, room);
      const stored = await store
        .arrive(
          {
            ...{ id: blobKey, owner: worker.jobId, body, signal, mostBytes: artifactBytes, ...ARTIFACTS_ARRIVING },
            used: (tx) => store.artifactBytes(worker.jobId, artifact.name, tx),
            noRoom: async () => tooManyBytes(artifactBytes, used),
          },
          (metered) => parts.blobs.put(blobKey, metered, { maxBytes, signal }),
        )
        .catch((error: unknown) => {
          if (error instanceof HangarError && error.code === 'body_too_large') {
            throw tooManyBytes(artifactBytes, used);
          }
          throw error;
        });
      if (artifact.sha256 !== undefined && artifact.sha256 !== stored.sha256) {
        await parts.blobs.remove(blobKey);
        throw new HangarError('bad_request', { message: 'The bytes do not match X-Content-Sha256.' });
      }
      const { name, kind, contentType, partial, number, counts } = artifact;
      const turn = worker.attempt * UPLOADS_MOST + number;
      const unnamed = await store
        .putArtifact(
          { ...{ jobId: worker.jobId, name, kind, contentType, partial, blobKey, turn }, ...stored },
          kind === 'diff' && counts !== null ? { ...counts, sizeBytes: stored.sizeBytes, partial } : null,
          artifactBytes,
        )
        .catch(async (error: unknown) => {
          // Refused for sure: after a connection that was lost nobody knows, and the sweep looks later.
          if (error instanceof HangarError) await parts.blobs.remove(blobKey);
          throw error;
        });
      if (unnamed !== null) await parts.blobs.remove(unnamed);
    },

    /** The worker's last word. Said again it changes nothing; after another end than that it was given up it is refused. */
    async finish(worker: WorkerIdentity, finish: Finish): Promise<void> {
      const row = await current(worker);
      if (row.finished) return;
      refuseEnded(row);
      // The log of a job that was given up has ended: nobody waits for the rest of it.
      const stored = isFinal(row.state)
        ? finish.lastLogSeq
        : await parts.logs.storedSeq(worker.jobId, String(worker.attempt));
      if (stored < finish.lastLogSeq)
        throw new HangarError('bad_request', {
          message: `The log ends at batch ${stored}, not at ${finish.lastLogSeq}: send the rest first.`,
        });
      await advance(worker, (now, at) => {
        if (!now.finished) refuseEnded(now);
        return {
          heardAt: at,
          finished: now.finished ?? {
            outcome: finish.outcome,
            exitCode: finish.exitCode,
            signal: finish.signal,
            failure: finish.failure && shortened(finish.failure),
            reason: finish.reason,
            at: at.toISOString(),
          },
          ...(finish.diff ? { diff: finish.diff } : {}),
          ...(finish.usage ? { usage: finish.usage } : {}),
        };
      });
      limits.delete(worker.jobId);
    },
  };

  async function fail(worker: WorkerIdentity, failure: Failure): Promise<void> {
    await store.advance(worker.jobId, (row, now) => ({
      finished: row.finished ?? {
        outcome: 'failed',
        exitCode: null,
        signal: null,
        failure,
        reason: failure.message,
        at: now.toISOString(),
      },
    }));
  }
}
export type JobWorker = ReturnType<typeof createJobWorker>;

/** Most diffs are small; only what is large is counted while it arrives. */
const ARTIFACTS_ARRIVING = { atOnce: 8, freeBytes: 256 * 1024 } as const;

/** What a worker says is hostile, and stands in a row that lists read. */
const shortened = ({ code, message, wayOut }: Failure): Failure => ({
  code: code.slice(0, 100),
  message: message.slice(0, 4_000),
  wayOut: wayOut.slice(0, 1_000),
});

function refuseEnded(row: JobRow): void {
  if (isFinal(row.state) && !mayComeBack(row))
    throw new HangarError('worker_fenced', { message: `The job has ended: ${JOB_WORDS[row.state].word}.` });
}

const PHASES = ['cloning', 'running', 'collecting'] as const;
const order = (phase: (typeof PHASES)[number] | null) => (phase === null ? -1 : PHASES.indexOf(phase));
