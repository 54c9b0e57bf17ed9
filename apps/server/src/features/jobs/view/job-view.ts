import { type Artifact, isFinal, type Job, type JobDetail, type JobEvent, type LogLine } from '@hangar/contract';
import type { Places } from '../../../platform/places/places.ts';
import { profileName } from '../../../platform/places/profile-key.ts';
import { JOB } from '../lifecycle/job-noun.ts';
import type { JobLimits } from '../limits/job-limits.ts';
import type { LogsOfJobs, PeopleOfJobs } from '../needs.ts';
import { durationKey } from '../store/job-figures.ts';
import type { JobsStore } from '../store/jobs-store.ts';
import type { ArtifactRow, JobRow } from '../store/jobs-tables.ts';
import { evidenceOf } from './job-evidence.ts';

export interface ViewParts {
  readonly store: Pick<JobsStore, 'queuePlaces' | 'durations' | 'typicalPhases' | 'events' | 'orderOf'>;
  readonly people: Pick<PeopleOfJobs, 'planOf'>;
  readonly places: Pick<Places, 'inUse'>;
  readonly limits: Pick<JobLimits, 'ofPeople' | 'ofProfiles' | 'total' | 'holds'>;
  readonly logs: Pick<LogsOfJobs, 'read' | 'stats'>;
}

/** Rows as people see them: with place in the queue, estimate and log size, in a few queries for any number of rows. */
export async function viewJobs(parts: ViewParts, rows: readonly JobRow[]): Promise<Job[]> {
  const queued = rows.filter((row) => row.state === 'queued');
  const open = rows.filter((row) => !isFinal(row.state));
  const owners = [...new Set(queued.map((row) => row.userId))];
  const [places, logs, limits, durations, used, ofProfiles, held] = await Promise.all([
    parts.store.queuePlaces(queued.map((row) => row.id)),
    parts.logs.stats(rows.map((row) => row.id)),
    owners.length > 0 ? parts.limits.ofPeople(owners) : new Map<string, number>(),
    parts.store.durations(open),
    queued.length > 0 ? parts.places.inUse(JOB) : new Map<string, number>(),
    queued.length > 0 ? parts.limits.ofProfiles() : new Map<string, number>(),
    owners.length > 0 ? parts.limits.holds(owners) : new Map<string, string>(),
  ]);
  const running = [...used.values()].reduce((sum, n) => sum + n, 0);
  return rows.map((row) => {
    const place = places.get(row.id);
    const logLines = logs.get(row.id)?.lines ?? 0;
    const duration = durations.get(durationKey(row.repoName, row.agent));
    if (place) {
      const limit = limits.get(row.userId) ?? 1;
      const others = [
        {
          what: `profile ${profileName(row.profile)}`,
          used: used.get(row.profile) ?? 0,
          limit: ofProfiles.get(row.profile),
        },
        { what: 'the server', used: running, limit: parts.limits.total },
      ];
      const waiting = viewWaiting(row, { ...place, limit }, duration, others);
      const why = row.admittedAt === null ? held.get(row.userId) : undefined;
      return why === undefined ? { ...waiting, logLines } : { ...waiting, reason: why, eta: null, logLines };
    }
    return {
      ...plain(row),
      queue: null,
      eta: duration && !isFinal(row.state) ? estimate(row, duration, 1) : null,
      logLines,
    };
  });
}

/** A job that waits, when its place is known already. */
export function viewWaiting(
  row: JobRow,
  place: NonNullable<Job['queue']>,
  duration: Duration | undefined,
  others: readonly Full[] = [],
): Job {
  return {
    ...plain(row),
    reason: waitingReason(row, place, others),
    queue: place,
    eta: duration ? estimate(row, duration, Math.ceil(place.position / place.limit)) : null,
    logLines: 0,
  };
}

interface Duration {
  readonly low: number;
  readonly high: number;
  readonly basis: number;
}

export async function viewJob(parts: ViewParts, row: JobRow): Promise<JobDetail> {
  const [[job], order, events, typical, plan, lines] = await Promise.all([
    viewJobs(parts, [row]),
    parts.store.orderOf(row.id),
    parts.store.events(row.id),
    parts.store.typicalPhases(row),
    parts.people.planOf(row.userId),
    row.failure && row.logRemovedAt === null ? lastLines(parts, row.id) : [],
  ]);
  if (!job) throw new Error('a row has no view');
  return {
    ...job,
    spec: order.spec,
    envNames: order.envNames,
    events: events.map(
      (event): JobEvent => ({
        at: event.at.toISOString(),
        state: event.state,
        reason: event.reason,
        attempt: event.attempt,
      }),
    ),
    lastWordFromWorkerAt: iso(row.heardAt),
    typical,
    evidence: row.failure ? evidenceOf(row.failure.code, lines) : null,
    kept: {
      logUntil: row.logRemovedAt ? null : keptUntil(row, plan.keepLogDays),
      logRemovedAt: iso(row.logRemovedAt),
      artifactsUntil: row.artifactsRemovedAt ? null : keptUntil(row, plan.keepArtifactDays),
      artifactsRemovedAt: iso(row.artifactsRemovedAt),
    },
  };
}

/** How far back from its end a log is searched for the line that shows the failure. */
const EVIDENCE_LINES = 200;
const lastLines = async ({ logs }: ViewParts, id: string): Promise<readonly LogLine[]> =>
  (await logs.read(id, { tail: EVIDENCE_LINES, limit: EVIDENCE_LINES })).lines;

const keptUntil = (row: JobRow, days: number | null): string | null =>
  days === null || row.finishedAt === null
    ? null
    : new Date(row.finishedAt.getTime() + days * 86_400_000).toISOString();

export function viewArtifact(row: ArtifactRow): Artifact {
  return {
    name: row.name,
    kind: row.kind,
    contentType: row.contentType,
    sizeBytes: row.sizeBytes,
    sha256: row.sha256,
    partial: row.partial,
    createdAt: row.createdAt.toISOString(),
  };
}

function plain(row: JobRow): Omit<Job, 'queue' | 'eta' | 'logLines'> {
  const end = row.finishedAt ?? new Date();
  return {
    id: row.id,
    version: row.version,
    title: row.title,
    state: row.state,
    stateSince: row.stateSince.toISOString(),
    reason: row.reason,
    cancelRequestedAt: iso(row.cancelRequestedAt),
    owner: { id: row.userId, name: row.userName },
    agent: row.agent,
    profile: profileName(row.profile),
    driver: row.driver,
    sandbox: row.sandboxId,
    repo: {
      name: row.repoName,
      url: row.repoUrl,
      ref: row.repoRef,
      commit: row.repoCommit,
      fromCheckout: row.bundleId !== null,
      root: row.repoRoot,
    },
    image: row.image,
    resources: row.resources,
    timeoutSeconds: row.timeoutSeconds,
    credential: row.credential,
    createdAt: row.createdAt.toISOString(),
    startedAt: iso(row.startedAt),
    finishedAt: iso(row.finishedAt),
    elapsedSeconds: Math.max(0, Math.round((end.getTime() - row.createdAt.getTime()) / 100) / 10),
    phases: row.phases,
    exitCode: row.exitCode,
    failure: row.failure,
    diff: row.diff,
    usage: row.usage,
    group: row.group,
    retryOf: row.retryOf,
  };
}

interface Full {
  readonly what: string;
  readonly used: number;
  readonly limit: number | undefined;
}

/** What stands in its way, the nearest first: the own plan, the profile, the server, jobs of one's own before it. */
function waitingReason(
  row: JobRow,
  place: { position: number; running: number; limit: number },
  others: readonly Full[],
): string {
  if (row.admittedAt !== null) return 'Starting next';
  if (place.running >= place.limit)
    return `Waiting for a free place: position ${place.position}, your plan runs ${place.limit} at once`;
  const full = others.find(({ used, limit }) => limit !== undefined && used >= limit);
  if (full)
    return `Waiting for a free place on ${full.what}: ${full.used} of ${full.limit} in use, position ${place.position} of yours`;
  return place.position === 1
    ? 'Waiting for a free place: the next of yours to start'
    : `Waiting for a free place: position ${place.position} of yours`;
}

/** From admission if there was one, else one full turn for each round of the own queue ahead. */
function estimate(row: JobRow, duration: Duration, rounds: number): NonNullable<Job['eta']> {
  const from = row.admittedAt?.getTime() ?? Date.now();
  const now = Date.now();
  return {
    earliestAt: new Date(Math.max(now, from + duration.low * rounds)).toISOString(),
    latestAt: new Date(Math.max(now, from + duration.high * rounds)).toISOString(),
    basis: duration.basis,
  };
}

const iso = (date: Date | null) => date?.toISOString() ?? null;
