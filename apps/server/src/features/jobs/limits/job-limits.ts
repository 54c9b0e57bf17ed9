import type { Limits } from '../../../platform/places/fairness.ts';
import type { PeopleOfJobs, ProfilesOfJobs } from '../needs.ts';
import type { JobsStore } from '../store/jobs-store.ts';
import { createHolds, type Holds } from './job-holds.ts';

/** What people, profiles and the server may run at once: admission keeps to it, and waiting jobs say it. */
export interface JobLimits {
  /** Of each person's plan. */
  ofPeople(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Of the profiles that have such a limit. */
  ofProfiles(): Promise<ReadonlyMap<string, number>>;
  /** Of the whole server. */
  readonly total: number;
  readonly holds: Holds;
  /** All of it for these people, as admission asks. */
  of(userIds: readonly string[]): Promise<Limits>;
}

export function createJobLimits(o: {
  readonly people: Pick<PeopleOfJobs, 'standingOf'>;
  readonly profiles: Pick<ProfilesOfJobs, 'jobsAtOnce'>;
  readonly store: Pick<JobsStore, 'uses'>;
  readonly total: number;
}): JobLimits {
  const holds = createHolds({ standingOf: o.people.standingOf, uses: o.store.uses });
  const ofPeople = async (userIds: readonly string[]) =>
    new Map([...(await o.people.standingOf(userIds))].map(([userId, { plan }]) => [userId, plan.jobsAtOnce]));
  const ofProfiles = () => o.profiles.jobsAtOnce();
  return {
    ...{ ofPeople, ofProfiles, total: o.total, holds },
    async of(userIds) {
      const [people, profiles, held] = await Promise.all([ofPeople(userIds), ofProfiles(), holds(userIds)]);
      return {
        ofUser: (userId) => (held.has(userId) ? 0 : (people.get(userId) ?? 1)),
        ofProfile: (profile) => profiles.get(profile) ?? Number.POSITIVE_INFINITY,
      };
    },
  };
}
