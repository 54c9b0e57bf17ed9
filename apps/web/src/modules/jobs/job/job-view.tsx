import type { Artifact, JobDetail } from '@hangar/contract';
import { isFinal } from '@hangar/contract/state-words';
import { nextSteps } from '@hangar/contract/words/job';
import { etaWords, failureOf } from '@hangar/contract/words/job-ending';
import { formatCount } from '@hangar/contract/words/number';
import { sentence } from '@hangar/contract/words/tone';
import { Button, Menu } from '@mantine/core';
import { IconChevronDown, IconCopyPlus, IconPlayerStop, IconRefresh, IconTerminal2 } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Loadable } from '../../../api/loadable.ts';
import { type Asked, Confirm } from '../../../components/actions/confirm.tsx';
import { CopyButton, copyText } from '../../../components/actions/copy.tsx';
import { useNotice } from '../../../components/actions/notices.tsx';
import type { Action } from '../../../components/actions/use-action.ts';
import { DetailPage, type DetailTab, FactLine } from '../../../components/detail/detail-page.tsx';
import { Time, useNow } from '../../../components/figures/time.tsx';
import { ErrorState, LinesSkeleton, Loaded } from '../../../components/state/states.tsx';
import { Timeline } from '../../../components/timeline/timeline.tsx';
import { AgentAndPlace, JobBadge, JobElapsed } from '../job-words.tsx';
import { ArtifactList, LeftOut } from './artifact-list.tsx';
import type { EvidenceLine } from './evidence.ts';
import { FailureBox } from './failure-box.tsx';
import classes from './job.module.css';
import { jobCommands } from './job-commands.ts';
import { JobDetails, JobSpec } from './job-details.tsx';
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
  /** By the id of the job. */
  cancel: Asked<string>;
  retry: Action<[]>;
  /** Its files in a machine; null: it is somebody else's. */
  openSandbox: Action<[]> | null;
}

export function JobView(props: JobViewProps) {
  return (
    <DetailPage of={props.job} tab={props.tab} onTab={props.onTab}>
      {(job) => ({
        title: job.title,
        state: <JobBadge job={job} />,
        facts: <SubLine job={job} inGroup={props.inGroup} />,
        command: commandOf(job),
        actions: <Actions {...props} detail={job} />,
        now: <Now {...props} detail={job} />,
        tabs: tabsOf(props, job),
        dialogs: <AskCancel job={job} cancel={props.cancel} />,
      })}
    </DetailPage>
  );
}

function Now(props: JobViewProps & { detail: JobDetail }) {
  const { detail: job, retry, openSandbox } = props;
  const failure = failureOf(job);
  return (
    <>
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
          onDiff={() => props.onTab('diff')}
        />
      )}
      <LeftOut diff={job.diff} />
      <RetryFailed job={job} retry={retry} />
      {openSandbox?.error == null ? null : <ErrorState error={openSandbox.error} onRetry={openSandbox.run} />}
    </>
  );
}

/** Into a sandbox that is closed nothing is sent again: another place is chosen in the form. */
function RetryFailed({ job, retry: { error, run } }: { job: JobDetail; retry: Action<[]> }) {
  if (error === null) return null;
  if (error.code !== 'sandbox_closed' && error.code !== 'sandbox_not_found')
    return <ErrorState error={error} onRetry={run} />;
  const elsewhere = (
    <Button renderRoot={(props) => <Link to="/jobs/new" search={{ from: job.id }} {...props} />} variant="default">
      Send it elsewhere
    </Button>
  );
  return <ErrorState error={error} action={elsewhere} />;
}

function tabsOf(props: JobViewProps, job: JobDetail): DetailTab<JobTab>[] {
  const { logRemovedAt, artifactsRemovedAt } = job.kept;
  const files = job.diff?.filesChanged ?? 0;
  return [
    logRemovedAt === null
      ? { id: 'log', label: 'Log', fills: true, body: props.log }
      : { id: 'log', label: 'Log', body: <Removed what="The log" at={logRemovedAt} /> },
    {
      id: 'diff',
      label: 'Diff',
      ...(files === 0 ? {} : { count: formatCount(files) }),
      body: artifactsRemovedAt === null ? props.diff : <Removed what="The diff" at={artifactsRemovedAt} />,
    },
    {
      id: 'artifacts',
      label: 'Artifacts',
      body: (
        <Loaded of={props.artifacts} skeleton={<LinesSkeleton lines={3} />}>
          {(artifacts) => <ArtifactList jobId={job.id} artifacts={artifacts} ended={isFinal(job.state)} />}
        </Loaded>
      ),
    },
    { id: 'spec', label: 'Spec', body: <JobSpec job={job} /> },
    { id: 'details', label: 'Details', body: <JobDetails job={job} /> },
  ];
}

function AskCancel({ job, cancel }: { job: JobDetail; cancel: Asked<string> }) {
  return (
    <Confirm
      {...cancel.dialog}
      opened={cancel.dialog.opened && !isFinal(job.state)}
      title="Cancel this job?"
      gone={
        job.startedAt === null
          ? 'It has not begun its work. It can be sent again with Retry.'
          : `The agent is stopped where it is. What it has changed so far is kept as a partial diff; a retry starts from the base commit.${job.sandbox === null ? '' : ' The sandbox stays open.'}`
      }
      action="Cancel the job"
    />
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
    <FactLine>
      <span className={classes.id}>
        <code>{job.id}</code>
        <CopyButton text={job.id} label="Copy the job id" />
      </span>
      <Link to="/jobs" search={{ repo: job.repo.name }} className="hg-link">
        {job.repo.name}
      </Link>
      {ref === null ? null : <span>{ref}</span>}
      <AgentAndPlace job={job} />
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
    </FactLine>
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
      <FactLine>
        {eta === null ? null : <span>{sentence(eta)}</span>}
        {heard === null ? null : (
          <span data-silent={isSilent || undefined}>
            {isSilent ? 'No word from the worker since' : 'Last word from the worker'} <Time at={heard} />
            {isSilent || job.reason === '' ? '' : `: ${job.reason}`}
          </span>
        )}
      </FactLine>
    </p>
  );
}

/** What is most of use now. */
function commandOf(job: JobDetail) {
  const commands = jobCommands(job);
  if (!isFinal(job.state)) return commands.logs;
  return nextSteps(job).includes('pull') ? commands.pull : commands.status;
}

function Actions({ detail: job, cancel, retry, openSandbox, onTab }: JobViewProps & { detail: JobDetail }) {
  const next = nextSteps(job);
  return (
    <>
      <CopyMenu commands={jobCommands(job)} />
      {isFinal(job.state) && openSandbox !== null ? (
        <Button
          variant="default"
          leftSection={<IconTerminal2 size={15} />}
          loading={openSandbox.pending}
          onClick={openSandbox.run}
        >
          Open in a sandbox
        </Button>
      ) : null}
      {isFinal(job.state) ? (
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
          onClick={() => cancel.ask(job.id)}
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
