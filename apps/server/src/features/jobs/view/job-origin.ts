import type { Readable } from 'node:stream';
import { HangarError, isFinal, type Resources, type WorkOrder } from '@hangar/contract';
import type { Blobs } from '../../../platform/blobs/blobs.ts';
import type { CredentialsOfJobs, Environment, SandboxesOfJobs } from '../needs.ts';
import type { JobsStore } from '../store/jobs-store.ts';
import type { JobRow } from '../store/jobs-tables.ts';
import { credentialOf, environmentOfJob, repoOf } from '../worker/work-order.ts';

export type JobOrigins = ReturnType<typeof createJobOrigins>;

/** What a job began with and what it left, for whoever lays it out once more: of one's own that has ended. */
export function createJobOrigins(parts: {
  readonly store: Pick<JobsStore, 'of' | 'orderOf' | 'upload' | 'artifact'>;
  readonly blobs: Pick<Blobs, 'get'>;
  readonly credentials: Pick<CredentialsOfJobs, 'open'>;
  readonly environment: Pick<Environment, 'open'>;
  readonly sandboxes: Pick<SandboxesOfJobs, 'environmentOf'>;
  readonly allowLocalRepos: boolean;
}) {
  const { store, blobs } = parts;

  /** @throws HangarError job_not_found, job_not_ended, upload_not_found, artifact_removed */
  async function ended(userId: string, id: string): Promise<JobRow> {
    const row = await store.of(userId).get(id);
    if (!isFinal(row.state)) throw new HangarError('job_not_ended', { message: `${id} has not ended yet.` });
    await Promise.all([keyOf(row, 'bundle'), keyOf(row, 'patch'), keyOf(row, 'diff')]);
    return row;
  }

  /** Where the bytes are; null when the job has none. */
  async function keyOf(row: JobRow, what: 'bundle' | 'patch' | 'diff'): Promise<string | null> {
    if (what === 'diff') {
      const diff = await store.artifact(row.id, 'diff');
      if (diff === null && row.artifactsRemovedAt !== null)
        throw new HangarError('artifact_removed', { message: `What ${row.id} left was removed: its time was over.` });
      return diff?.blobKey ?? null;
    }
    const id = what === 'bundle' ? row.bundleId : row.patchId;
    if (id === null) return null;
    const upload = await store.upload(id, row.userId);
    if (upload === null) throw goneOf(row);
    return upload.blobKey;
  }

  return {
    async originOf(
      userId: string,
      id: string,
    ): Promise<{ profile: string; image: string | null; resources: Resources; env: Record<string, string> }> {
      const row = await ended(userId, id);
      const env = await environmentOfJob(parts, row, await store.orderOf(row.id));
      return { profile: row.profile, image: row.image, resources: row.resources, env };
    },

    async filesOf(userId: string, id: string) {
      const row = await ended(userId, id);
      const credential: WorkOrder['credential'] =
        row.credential === null ? null : await credentialOf(parts.credentials, row.userId, row.credential);
      return {
        ...{ repo: repoOf(row, parts.allowLocalRepos), credential, diff: (await keyOf(row, 'diff')) !== null },
        partial: row.diff?.partial === true || row.state !== 'succeeded',
        async open(what: 'bundle' | 'patch' | 'diff', { signal }: { readonly signal: AbortSignal }): Promise<Readable> {
          const key = await keyOf(row, what);
          const blob = key === null ? null : await blobs.get(key, { signal });
          if (!blob) throw what === 'diff' ? new HangarError('artifact_removed') : goneOf(row);
          return blob.body;
        },
      };
    },
  };
}

const goneOf = ({ id, repoName }: JobRow): HangarError =>
  new HangarError('upload_not_found', {
    message: `The checkout that ${id} was sent with is not kept any more.`,
    wayOut: `Send it again from a checkout of ${repoName}, and open that job: hangar run --cloud --spec SPEC.md`,
  });
