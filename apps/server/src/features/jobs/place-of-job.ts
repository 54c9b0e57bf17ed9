import { HangarError, type NewJob, type Resources } from '@hangar/contract';
import type { PlaceOfJob, ProfilesOfJobs, SandboxesOfJobs } from './needs.ts';

/**
 * Where a job runs, and with what of a machine. In a sandbox all that is the sandbox's, whatever the spec says.
 *
 * @param isRetry what was taken once stands with the row's own name for it
 * @throws HangarError profile_not_found, sandbox_not_found, sandbox_closed, validation_failed
 */
export async function placeOf(
  parts: {
    readonly profiles: Pick<ProfilesOfJobs, 'find' | 'byKey'>;
    readonly sandboxes: Pick<SandboxesOfJobs, 'find'>;
  },
  userId: string,
  { sandbox, profile: named, image, resources }: NewJob,
  ofSpec: { readonly image?: string | undefined; readonly resources?: Resources | undefined },
  isRetry: boolean,
): Promise<PlaceOfJob> {
  if (sandbox !== undefined) {
    const both = Object.entries({ profile: named, image, ...resources }).find(([, value]) => value !== undefined);
    if (both !== undefined && !isRetry)
      throw new HangarError('validation_failed', {
        message: `sandbox: the job works in ${sandbox} as that is, and cannot have a ${both[0]} of its own`,
      });
    return parts.sandboxes.find(sandbox, userId);
  }
  const { name, driver } =
    isRetry && named !== undefined ? await parts.profiles.byKey(named) : await parts.profiles.find(named, userId);
  return {
    ...{ profile: name, driver, image: image ?? ofSpec.image ?? null },
    resources: { ...ofSpec.resources, ...resources },
  };
}
