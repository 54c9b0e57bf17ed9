import type { WorkOrder } from '@hangar/contract';
import type { CredentialsOfJobs, Environment, SandboxesOfJobs } from '../needs.ts';
import type { JobOrderRow, JobRow } from '../store/jobs-tables.ts';

/** Where a job's files come from, as a worker is told. */
export const repoOf = (row: JobRow, allowLocal: boolean): WorkOrder['repo'] => ({
  ...{ url: row.repoUrl, ref: row.repoRef, commit: row.repoCommit },
  ...{ bundle: row.bundleId !== null, patch: row.patchId !== null, allowLocal },
});

/** @throws HangarError credential_not_found */
export async function credentialOf(
  credentials: Pick<CredentialsOfJobs, 'open'>,
  userId: string,
  name: string,
): Promise<NonNullable<WorkOrder['credential']>> {
  const { value, ...rest } = await credentials.open(userId, name);
  return { ...rest, value: value.reveal() };
}

/** What its agent has in its environment: in a sandbox what people set for that, too. */
export async function environmentOfJob(
  o: { readonly environment: Pick<Environment, 'open'>; readonly sandboxes: Pick<SandboxesOfJobs, 'environmentOf'> },
  { id, sandboxId }: Pick<JobRow, 'id' | 'sandboxId'>,
  { envSealed }: Pick<JobOrderRow, 'envSealed'>,
): Promise<Record<string, string>> {
  const own = envSealed === null ? {} : (JSON.parse(o.environment.open(id, envSealed)) as Record<string, string>);
  return { ...(sandboxId === null ? {} : await o.sandboxes.environmentOf(sandboxId)), ...own };
}
