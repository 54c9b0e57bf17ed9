import type { Artifact, JobDetail } from '@hangar/contract';
import { isFinal } from '@hangar/contract/state-words';
import { etaWords } from '@hangar/contract/words/eta';
import { nextSteps } from '@hangar/contract/words/job';
import { failureOf } from '@hangar/contract/words/job-ending';
import { sentence } from '@hangar/contract/words/tone';
import { Button, Menu, Tabs } from '@mantine/core';
import { IconChevronDown, IconCopyPlus, IconPlayerStop, IconRefresh } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { AsCommand } from '../../components/as-command.tsx';
import { Confirm } from '../../components/confirm.tsx';
import { CopyButton, copyText } from '../../components/copy-button.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { formatCount } from '../../components/format.ts';
import { Loaded } from '../../components/loaded.tsx';
import { useNotice } from '../../components/notices.tsx';
import { Page, PageHeader } from '../../components/page.tsx';
import { Bone, LinesSkeleton } from '../../components/skeletons.tsx';
import { Time, useNow } from '../../components/time.tsx';
import { Timeline } from '../../components/timeline/timeline.tsx';
import type { Action } from '../../components/use-action.ts';
import { ArtifactList } from './artifact-list.tsx';
import type { EvidenceLine } from './evidence.ts';
import { FailureBox } from './failure-box.tsx';
import classes from './job.module.css';
import { jobCommands } from './job-commands.ts';
import { JobDetails } from './job-details.tsx';
import { JobSpec } from './job-spec.tsx';
import { JobBadge, JobElapsed } from './job-words.tsx';
import { LeftOut } from './left-out.tsx';
import { timelineOf } from './timeline-of.ts';

export const JOB_TABS = ['log', 'diff', 'artifacts', 'spec', 'details'] as const;
/** Workers speak every few seconds: longer than this is worth a word. */
const SILENT_MS = 30_000;
export type JobTab = (typeof JOB_TABS)[number];

export interface JobViewProps {
  job: Loadable<JobDetail>;
  tab: JobTab;
  onTab: (tab: JobTab) => void;
  /** Fills the rest of the window. */
  log: ReactNode;
  diff: ReactNode;
  artifacts: Loadable<readonly Artifact[]>;
  /** The line that shows why it failed and those around it, without colours. */
  lastLines: readonly EvidenceLine[];
  /** How many jobs its group has, itself counted; null: not known, or no group. */
  inGroup: number | null;
  onLine: (n: number) => void;
  cancel: Action<[]>;
  retry: Action<[]>;
  /** The question whether to cancel is open. */
  asksCancel: boolean;
  onAskCancel: (open: boolean) => void;
}

export function JobView(props: JobViewProps) {
  return (
    <Page width="wide">
      <Loaded of={props.job} skeleton={<JobSkeleton />}>
        {(job) => <LoadedJob {...props} detail={job} />}
      </Loaded>
    </Page>
  );
}

function LoadedJob(props: JobViewProps & { detail: JobDetail }) {
  const { detail: job, tab, onTab } = props;
  const failure = failureOf(job);
  const files = job.diff === null || job.diff.filesChanged === 0 ? '' : ` ${formatCount(job.diff.filesChanged)}`;
  return (
    <div className={classes.job}>
      <PageHeader
        title={job.title}
        state={<JobBadge job={job} />}
        sub={<SubLine job={job} inGroup={props.inGroup} />}
        actions={<Actions {...props} />}
      />
      <div className={classes.timeline}>
        <Timeline phases={timelineOf(job)} label="Phases of the job" />
      </div>
      <NowLine job={job} />
      {failure === null ? null : (
        <FailureBox
          failure={failure}
          lines={props.lastLines}
          onLine={props.onLine}
          partialDiff={job.diff?.partial === true}
          onDiff={() => onTab('diff')}
        />
      )}
      <LeftOut diff={job.diff} />
      {props.retry.error === null ? null : <ErrorState error={props.retry.error} onRetry={props.retry.run} />}
      <Tabs
        className={classes.tabs}
        value={tab}
        onChange={(value) => onTab(JOB_TABS.find((known) => known === value) ?? 'log')}
        keepMounted={false}
      >
        <Tabs.List>
          <Tabs.Tab value="log">Log</Tabs.Tab>
          <Tabs.Tab value="diff">
            Diff<span className={classes.count}>{files}</span>
          </Tabs.Tab>
          <Tabs.Tab value="artifacts">Artifacts</Tabs.Tab>
          <Tabs.Tab value="spec">Spec</Tabs.Tab>
          <Tabs.Tab value="details">Details</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="log" className={classes.logPanel}>
          {job.kept.logRemovedAt === null ? (
            <div className={classes.logFrame}>{props.log}</div>
          ) : (
            <Removed what="The log" at={job.kept.logRemovedAt} />
          )}
        </Tabs.Panel>
        <Tabs.Panel value="diff" className={classes.panel}>
          {job.kept.artifactsRemovedAt === null ? (
            props.diff
          ) : (
            <Removed what="The diff" at={job.kept.artifactsRemovedAt} />
          )}
        </Tabs.Panel>
        <Tabs.Panel value="artifacts" className={classes.panel}>
          <Loaded of={props.artifacts} skeleton={<LinesSkeleton lines={3} />}>
            {(artifacts) => <ArtifactList jobId={job.id} artifacts={artifacts} ended={isFinal(job.state)} />}
          </Loaded>
        </Tabs.Panel>
        <Tabs.Panel value="spec" className={classes.panel}>
          <JobSpec job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="details" className={classes.panel}>
          <JobDetails job={job} />
        </Tabs.Panel>
      </Tabs>
      <Confirm
        opened={props.asksCancel}
        onClose={() => props.onAskCancel(false)}
        title="Cancel this job?"
        gone={
          job.startedAt === null
            ? 'It has not begun its work. It can be sent again with Retry.'
            : 'The agent is stopped where it is. What it has changed so far is kept as a partial diff; a retry starts from the base commit.'
        }
        action="Cancel the job"
        onConfirm={props.cancel.run}
        pending={props.cancel.pending}
        error={props.cancel.error}
      />
    </div>
  );
}

/** In place of what the plan does not keep any longer. */
function Removed({ what, at }: { what: string; at: string }) {
  return (
    <p className={classes.now}>
      {what} was removed <Time at={at} />: the plan does not keep it longer.
    </p>
  );
}

function SubLine({ job, inGroup }: { job: JobDetail; inGroup: number | null }) {
  const ref = job.repo.ref ?? job.repo.commit?.slice(0, 9) ?? null;
  return (
    <span className={classes.sub}>
      <span className={classes.id}>
        <code>{job.id}</code>
        <CopyButton text={job.id} label="Copy the job id" />
      </span>
      <Link to="/jobs" search={{ repo: job.repo.name }} className="hg-link">
        {job.repo.name}
      </Link>
      {ref === null ? null : <span>{ref}</span>}
      <span>
        {job.agent} on {job.profile}
      </span>
      <span>{job.owner.name}</span>
      <span>
        <JobElapsed job={job} />
        {job.finishedAt === null ? ' so far' : ' in all'}
      </span>
      {job.group === null ? null : (
        <Link to="/compare" search={{ group: job.group }} className="hg-link">
          {inGroup === null || inGroup < 2
            ? `Group ${job.group}`
            : `Compare with the ${inGroup === 2 ? 'other' : `${inGroup - 1} others`} of ${job.group}`}
        </Link>
      )}
      {job.retryOf === null ? null : (
        <span>
          retry of{' '}
          <Link to="/jobs/$id" params={{ id: job.retryOf }} className="hg-link">
            {job.retryOf}
          </Link>
        </span>
      )}
    </span>
  );
}

/** What the timeline does not say: how it ended well, how long it will take, what the worker said last and when. */
function NowLine({ job }: { job: JobDetail }) {
  const now = useNow();
  const isOver = isFinal(job.state);
  if (isOver) return failureOf(job) === null ? <p className={classes.now}>{job.reason}</p> : null;
  const eta = etaWords(job.eta, now);
  const heard = job.lastWordFromWorkerAt;
  const isSilent = heard !== null && now - new Date(heard).getTime() > SILENT_MS;
  if (eta === null && heard === null) return null;
  return (
    <p className={classes.now}>
      {eta === null ? null : <span>{sentence(eta)}</span>}
      {heard === null ? null : (
        <span data-silent={isSilent || undefined}>
          {isSilent ? 'No word from the worker since' : 'Last word from the worker'} <Time at={heard} />
          {isSilent || job.reason === '' ? '' : `: ${job.reason}`}
        </span>
      )}
    </p>
  );
}

function Actions({ detail: job, cancel, retry, onAskCancel, onTab }: JobViewProps & { detail: JobDetail }) {
  const commands = jobCommands(job);
  const next = nextSteps(job);
  const isOver = isFinal(job.state);
  const main = !isOver ? commands.logs : next.includes('pull') ? commands.pull : commands.status;
  return (
    <>
      <AsCommand {...main} />
      <CopyMenu commands={commands} />
      {isOver ? (
        <Button
          variant={next.includes('retry') ? 'filled' : 'default'}
          leftSection={<IconRefresh size={15} />}
          loading={retry.pending}
          onClick={retry.run}
        >
          Retry
        </Button>
      ) : (
        <Button
          variant="default"
          leftSection={<IconPlayerStop size={15} />}
          disabled={job.cancelRequestedAt !== null}
          loading={cancel.pending}
          onClick={() => onAskCancel(true)}
        >
          {job.cancelRequestedAt === null ? 'Cancel' : 'Cancelling'}
        </Button>
      )}
      {next.includes('pull') ? <Button onClick={() => onTab('diff')}>See the diff</Button> : null}
    </>
  );
}

function CopyMenu({ commands }: { commands: ReturnType<typeof jobCommands> }) {
  return (
    <Menu>
      <Menu.Target>
        <Button variant="default" leftSection={<IconCopyPlus size={15} />} rightSection={<IconChevronDown size={14} />}>
          Copy command
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {Object.entries(commands).map(([name, { hangar }]) => (
          <CopyItem key={name} text={hangar} />
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function CopyItem({ text }: { text: string }) {
  const notify = useNotice();
  const copy = async () => {
    const copied = await copyText(text);
    notify(copied ? { text: `Copied ${text}` } : { text: `Copy it by hand: ${text}`, tone: 'needs' });
  };
  return (
    <Menu.Item onClick={() => void copy()}>
      <code>{text}</code>
    </Menu.Item>
  );
}

function JobSkeleton() {
  return (
    <div aria-hidden style={{ display: 'grid', gap: 16 }}>
      <Bone width="min(320px, 80%)" height={18} />
      <Bone width="min(460px, 100%)" />
      <Bone height={6} />
      <Bone width="70%" />
      <Bone height={360} />
    </div>
  );
}
