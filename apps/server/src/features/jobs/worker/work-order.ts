import type { WorkOrder } from '@hangar/contract';
import type { CredentialsOfJobs, Environment } from '../needs.ts';
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

export const environmentOfJob = (
  environment: Pick<Environment, 'open'>,
  { id }: Pick<JobRow, 'id'>,
  { envSealed }: Pick<JobOrderRow, 'envSealed'>,
): Record<string, string> =>
  envSealed === null ? {} : (JSON.parse(environment.open(id, envSealed)) as Record<string, string>);
