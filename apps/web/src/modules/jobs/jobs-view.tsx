import type { Job } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { jobWords } from '@hangar/contract/words/job';
import { Button, SegmentedControl, Select } from '@mantine/core';
import { IconArrowsDiff, IconBriefcase2, IconPlus, IconSearch, IconX } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { AsCommand, asCommand } from '../../components/as-command.tsx';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { Loaded } from '../../components/loaded.tsx';
import { Page, PageHeader } from '../../components/page.tsx';
import { SearchField } from '../../components/search-field.tsx';
import { TableSkeleton } from '../../components/skeletons.tsx';
import { GROUPS, isFiltered, type JobGroup, type JobsFilter, stateParameter } from './filter.ts';
import { DiffStatWords, JobBadge, JobElapsed } from './job-words.tsx';
import classes from './jobs.module.css';

export interface JobsAnswer {
  readonly items: readonly Job[];
  readonly more: boolean;
}

export interface JobsViewProps {
  jobs: Loadable<JobsAnswer>;
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
  const { jobs, filter, onFilter } = props;
  return (
    <Page width="wide">
      <PageHeader
        title="Jobs"
        actions={
          <>
            <AsCommand {...listCommand(filter)} />
            <Button component={Link} to="/jobs/new" leftSection={<IconPlus size={15} />}>
              New job
            </Button>
          </>
        }
      />
      <Filters {...props} />
      <Loaded of={jobs} skeleton={<TableSkeleton rows={8} columns={6} />}>
        {(answer) =>
          answer.items.length === 0 ? (
            <NoJobs filter={filter} onFilter={onFilter} />
          ) : (
            <>
              <CompareBar {...props} items={answer.items} />
              <DataTable
                label="Jobs"
                columns={columnsFor(filter.everybody)}
                rows={answer.items}
                rowKey={(job) => job.id}
                href={(job) => `/jobs/${job.id}`}
                choice={{ chosen: props.chosen, onChosen: props.onChosen, name: (job) => job.title }}
              />
              {answer.more ? (
                <div className={classes.more}>
                  <Button variant="default" loading={props.loadingMore} onClick={props.onMore}>
                    Show older jobs
                  </Button>
                </div>
              ) : null}
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function Filters({ filter, onFilter, agents, profiles, isAdmin }: JobsViewProps) {
  return (
    <search className={classes.filters}>
      <SearchField
        text={filter.search}
        onText={(search) => onFilter({ ...filter, search })}
        label="Search jobs"
        placeholder="Title, repository or id"
        className={classes.searchField}
      />
      <SegmentedControl
        className={classes.groups}
        aria-label="State"
        value={filter.group}
        onChange={(value) => onFilter({ ...filter, group: value as JobGroup })}
        data={GROUPS.map(({ group, label }) => ({ value: group, label }))}
      />
      <Select
        className={classes.pick}
        aria-label="Agent"
        placeholder="Any agent"
        clearable
        value={filter.agent}
        onChange={(agent) => onFilter({ ...filter, agent })}
        data={withChosen(agents, filter.agent)}
      />
      <Select
        className={classes.pick}
        aria-label="Profile"
        placeholder="Any profile"
        clearable
        value={filter.profile}
        onChange={(profile) => onFilter({ ...filter, profile })}
        data={withChosen(profiles, filter.profile)}
      />
      {filter.repo === null ? null : (
        <Button
          variant="default"
          rightSection={<IconX size={14} />}
          onClick={() => onFilter({ ...filter, repo: null })}
        >
          {filter.repo}
        </Button>
      )}
      {filter.sentAs === null ? null : (
        <Button
          variant="default"
          rightSection={<IconX size={14} />}
          aria-label={`Group ${filter.sentAs}: show all`}
          onClick={() => onFilter({ ...filter, sentAs: null })}
        >
          {filter.sentAs}
        </Button>
      )}
      {isAdmin ? (
        <SegmentedControl
          className={classes.whose}
          aria-label="Whose jobs"
          value={filter.everybody ? 'all' : 'mine'}
          onChange={(value) => onFilter({ ...filter, everybody: value === 'all' })}
          data={[
            { value: 'mine', label: 'Mine' },
            { value: 'all', label: 'Everybody' },
          ]}
        />
      ) : null}
    </search>
  );
}

const withChosen = (names: readonly string[], chosen: string | null): string[] =>
  chosen === null || names.includes(chosen) ? [...names] : [...names, chosen];

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

function NoJobs({ filter, onFilter }: { filter: JobsFilter; onFilter: (filter: JobsFilter) => void }) {
  if (isFiltered(filter))
    return (
      <EmptyState
        icon={<IconSearch size={26} />}
        sentence="No job fits this filter."
        action={
          <Button
            variant="default"
            onClick={() =>
              onFilter({
                group: 'all',
                search: '',
                agent: null,
                profile: null,
                repo: null,
                sentAs: null,
                everybody: filter.everybody,
              })
            }
          >
            Clear the filter
          </Button>
        }
      />
    );
  return (
    <EmptyState
      icon={<IconBriefcase2 size={28} />}
      sentence="A job sends a repository and a spec to an agent on another machine. You watch it here and pull the diff back."
      action={
        <Button component={Link} to="/jobs/new" leftSection={<IconPlus size={15} />}>
          New job
        </Button>
      }
      command="hangar run --cloud --spec spec.md"
    />
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
        {job.group === null ? null : <span className={classes.repo}>{job.group}</span>}
      </span>
      {tone === 'waiting' || tone === 'bad' ? <span className={classes.reason}>{job.reason}</span> : null}
    </span>
  );
}

function listCommand(filter: JobsFilter) {
  return asCommand(
    OPERATIONS.jobs.list,
    {
      state: stateParameter(filter.group)?.split(','),
      mine: filter.everybody ? false : undefined,
      search: filter.search === '' ? undefined : filter.search,
      agent: filter.agent ?? undefined,
      profile: filter.profile ?? undefined,
      repo: filter.repo ?? undefined,
      group: filter.sentAs ?? undefined,
    },
    { all: filter.everybody },
  );
}
