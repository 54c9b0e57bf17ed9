import type { Job } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { jobWords, placeWords } from '@hangar/contract/words/job';
import { Button } from '@mantine/core';
import { IconArrowsDiff, IconBriefcase2, IconPlus } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import type { Pages } from '../../api/pages.ts';
import { asCommand } from '../../components/actions/as-command.tsx';
import type { Column } from '../../components/list/data-table.tsx';
import { ListPage, More } from '../../components/list/list.tsx';
import { Groups, ListFilters, Narrowed, Pick, Whose } from '../../components/list/list-filters.tsx';
import { GROUPS, JOBS_FILTER, type JobGroup, type JobsFilter, stateParameter } from './filter.ts';
import { DiffStatWords, JobBadge, JobElapsed } from './job-words.tsx';
import classes from './jobs.module.css';

export interface JobsViewProps {
  jobs: Loadable<Pages<Job>>;
  onMore: () => void;
  loadingMore: boolean;
  filter: JobsFilter;
  onFilter: (filter: JobsFilter) => void;
  agents: readonly string[];
  profiles: readonly string[];
  isAdmin: boolean;
  /** Ids of the jobs that are ticked, to set them side by side. */
  chosen: ReadonlySet<string>;
  onChosen: (ids: ReadonlySet<string>) => void;
}

export function JobsView(props: JobsViewProps) {
  const { filter, onFilter } = props;
  const newJob = (
    <Button component={Link} to="/jobs/new" leftSection={<IconPlus size={15} />}>
      New job
    </Button>
  );
  return (
    <ListPage
      label="Jobs"
      of={props.jobs}
      command={listCommand(filter)}
      action={newJob}
      filters={<Filters {...props} />}
      columns={columnsFor(filter.everybody)}
      rowKey={(job) => job.id}
      href={(job) => `/jobs/${job.id}`}
      choice={{ chosen: props.chosen, onChosen: props.onChosen, name: (job) => job.title }}
      empty={{
        icon: <IconBriefcase2 size={28} />,
        sentence:
          'A job sends a repository and a spec to an agent on another machine. You watch it here and pull the diff back.',
        action: newJob,
        command: 'hangar run --cloud --spec spec.md',
      }}
      noMatch={
        JOBS_FILTER.isFiltered(filter) && {
          sentence: 'No job fits this filter.',
          onClear: () => onFilter(JOBS_FILTER.cleared(filter)),
        }
      }
      above={({ items }) => <CompareBar {...props} items={items} />}
      below={({ more }) =>
        more ? <More label="Show older jobs" loading={props.loadingMore} onMore={props.onMore} /> : null
      }
    />
  );
}

function Filters({ filter, onFilter, agents, profiles, isAdmin }: JobsViewProps) {
  const change = (part: Partial<JobsFilter>) => onFilter({ ...filter, ...part });
  return (
    <ListFilters
      search={{
        ...{ label: 'Search jobs', placeholder: 'Title, repository or id', text: filter.search },
        onText: (search) => change({ search }),
      }}
    >
      <Groups<JobGroup> label="State" value={filter.group} onValue={(group) => change({ group })} options={GROUPS} />
      <Pick
        label="Agent"
        any="Any agent"
        value={filter.agent}
        onValue={(agent) => change({ agent })}
        options={agents}
      />
      <Pick
        label="Profile"
        any="Any profile"
        value={filter.profile}
        onValue={(profile) => change({ profile })}
        options={profiles}
      />
      {filter.repo === null ? null : <Narrowed to={filter.repo} onClear={() => change({ repo: null })} />}
      {filter.sentAs === null ? null : (
        <Narrowed
          to={filter.sentAs}
          label={`Group ${filter.sentAs}: show all`}
          onClear={() => change({ sentAs: null })}
        />
      )}
      {isAdmin ? (
        <Whose of="jobs" everybody={filter.everybody} onEverybody={(everybody) => change({ everybody })} />
      ) : null}
    </ListFilters>
  );
}

/** What can be done with the jobs that are ticked, or with all of a group. */
function CompareBar({ chosen, onChosen, filter, items }: JobsViewProps & { items: readonly Job[] }) {
  const ids = items.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
  if (ids.length === 0 && (filter.sentAs === null || items.length < 2)) return null;
  return (
    <div className={classes.compareBar} role="status">
      {ids.length === 0 ? (
        <span>Sent together as {filter.sentAs}</span>
      ) : (
        <span>{ids.length === 1 ? '1 job ticked: tick another to compare' : `${ids.length} jobs ticked`}</span>
      )}
      {ids.length === 1 ? null : (
        <Button
          // As they were sent: the list has the newest first.
          renderRoot={(props) => (
            <Link
              to="/compare"
              search={ids.length === 0 ? { group: filter.sentAs ?? undefined } : { ids: ids.toReversed().join(',') }}
              {...props}
            />
          )}
          leftSection={<IconArrowsDiff size={15} />}
        >
          Compare
        </Button>
      )}
      {ids.length === 0 ? null : (
        <Button variant="default" onClick={() => onChosen(new Set())}>
          Untick
        </Button>
      )}
    </div>
  );
}

function columnsFor(everybody: boolean): Column<Job>[] {
  const name = (text: string) => <span className={classes.name}>{text}</span>;
  const columns: Column<Job>[] = [
    { id: 'title', header: 'Job', cell: (job) => <TitleCell job={job} />, width: '34%' },
    { id: 'state', header: 'State', cell: (job) => <JobBadge job={job} />, width: '184px' },
    { id: 'elapsed', header: 'Elapsed', cell: (job) => <JobElapsed job={job} />, width: '104px' },
    { id: 'diff', header: 'Diff', cell: (job) => <DiffStatWords diff={job.diff} />, from: 'md', width: '1%' },
    { id: 'agent', header: 'Agent', cell: (job) => name(job.agent), from: 'lg', phone: 'hide' },
    { id: 'profile', header: 'Profile', cell: (job) => name(job.profile), from: 'lg', phone: 'hide' },
  ];
  if (everybody) columns.push({ id: 'owner', header: 'Owner', cell: (job) => name(job.owner.name), from: 'md' });
  return columns;
}

/** Title and repository; a job that waits or ended badly says why. */
function TitleCell({ job }: { job: Job }): ReactNode {
  const { tone } = jobWords(job);
  const ref = job.repo.ref === null ? '' : `@${job.repo.ref}`;
  return (
    <span className={classes.titleCell}>
      <span className={classes.titleLine}>
        <span className={classes.title}>{job.title}</span>
        <span className={classes.repo}>
          {job.repo.name}
          {ref}
        </span>
        {job.sandbox === null ? null : <span className={classes.repo}>{placeWords(job)}</span>}
        {job.group === null ? null : <span className={classes.repo}>{job.group}</span>}
      </span>
      {tone === 'waiting' || tone === 'bad' ? <span className={classes.reason}>{job.reason}</span> : null}
    </span>
  );
}

function listCommand(filter: JobsFilter) {
  return asCommand(OPERATIONS.jobs.list, {
    state: stateParameter(filter.group)?.split(','),
    mine: filter.everybody ? false : undefined,
    search: filter.search === '' ? undefined : filter.search,
    agent: filter.agent ?? undefined,
    profile: filter.profile ?? undefined,
    repo: filter.repo ?? undefined,
    group: filter.sentAs ?? undefined,
  });
}
