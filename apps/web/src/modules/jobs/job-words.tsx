import type { DiffStat, Job } from '@hangar/contract';
import { elapsedMs, jobSince, jobWords, placeWords } from '@hangar/contract/words/job';
import { plural } from '@hangar/contract/words/number';
import { formatDuration } from '@hangar/contract/words/time';
import { Link } from '@tanstack/react-router';
import { useNow } from '../../components/figures/time.tsx';
import { StateBadge } from '../../components/state/state-badge.tsx';
import { Counts } from '../diff/counts.tsx';
import classes from './jobs.module.css';

export function JobBadge({ job, since = true }: { job: Job; since?: boolean }) {
  const { tone, word } = jobWords(job);
  return (
    <span className={classes.badge}>
      <StateBadge tone={tone} word={word} {...(since ? { since: jobSince(job) } : {})} />
    </span>
  );
}

/** From submit to now or to the end. */
export function JobElapsed({ job }: { job: Pick<Job, 'createdAt' | 'finishedAt'> }) {
  return job.finishedAt === null ? (
    <RunningElapsed job={job} />
  ) : (
    <span className="hg-num">{formatDuration(elapsedMs(job, 0))}</span>
  );
}

function RunningElapsed({ job }: { job: Pick<Job, 'createdAt' | 'finishedAt'> }) {
  const now = useNow();
  return <span className="hg-num">{formatDuration(elapsedMs(job, now))}</span>;
}

/** `3 files +84 −12` */
export function DiffStatWords({ diff }: { diff: DiffStat | null }) {
  if (diff === null) return <span className={classes.nothing}>–</span>;
  if (diff.filesChanged === 0) return <span className={classes.faint}>no changes</span>;
  return (
    <span className={classes.diffStat}>
      <span className="hg-num">{plural(diff.filesChanged, 'file')}</span>
      <Counts {...diff} />
      {diff.partial ? <span className={classes.faint}>partial</span> : null}
    </span>
  );
}

/** In a sandbox also the profile, which is the sandbox's. */
export function AgentAndPlace({ job }: { job: Job }) {
  if (job.sandbox === null)
    return (
      <span>
        {job.agent} {placeWords(job)}
      </span>
    );
  return (
    <span>
      {job.agent} in{' '}
      <Link to="/sandboxes/$id" params={{ id: job.sandbox }} className="hg-link">
        {job.sandbox}
      </Link>{' '}
      on {job.profile}
    </span>
  );
}
