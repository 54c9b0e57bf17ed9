import type { Job } from '@hangar/contract';
import { RAW_OPERATIONS } from '@hangar/contract/operations';
import { showPath } from '@hangar/contract/path-bytes';
import { shellCommand } from '@hangar/contract/shell-words';
import { isFinal } from '@hangar/contract/state-words';
import { verdictWords } from '@hangar/contract/words/group';
import { agentMs, jobWords } from '@hangar/contract/words/job';
import { formatCount, plural } from '@hangar/contract/words/number';
import { costWords, tokenWords } from '@hangar/contract/words/resources';
import { Button } from '@mantine/core';
import { IconArrowsDiff, IconListDetails } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useMemo, useState } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { AsCommand, asCommand, curlFor } from '../../components/actions/as-command.tsx';
import { Command } from '../../components/actions/copy.tsx';
import { DurationBar } from '../../components/figures/duration-bar.tsx';
import { useNow } from '../../components/figures/time.tsx';
import { Page, PageHeader } from '../../components/page.tsx';
import { Bone, EmptyState, LinesSkeleton, Loaded } from '../../components/state/states.tsx';
import { Counts } from '../diff/counts.tsx';
import { type DiffContent, FileCard } from '../diff/diff-view.tsx';
import { visiblePath } from '../diff/parse-diff.ts';
import { DiffStatWords, JobBadge } from '../jobs/job-words.tsx';
import classes from './compare.module.css';
import { type ComparedFile, sideBySide, wayLetter } from './side-by-side.ts';

export interface CompareViewProps {
  /** In the order in which they were sent. */
  jobs: Loadable<readonly Job[]>;
  /** The group all of them belong to; null when they were chosen one by one. */
  group: string | null;
  /** What each has changed so far, in the order of the jobs; data is undefined while it is on its way. */
  diffs: readonly Loadable<DiffContent>[];
  /** Path of the file whose changes are shown; null: the first on which they differ. */
  file: string | null;
  onFile: (path: string) => void;
}

/** Jobs beside each other: time, cost, what each changed, and the ways in which one file was changed. */
export function CompareView({ jobs, group, diffs, file, onFile }: CompareViewProps) {
  const ids = jobs.data?.map(({ id }) => id) ?? [];
  const command = shellCommand(['hangar', 'compare', ...(group === null ? ids : ['--group', group])]);
  return (
    <Page width="wide">
      <PageHeader
        title="Compare"
        sub={
          group === null ? (
            'Jobs side by side: time, cost, and what each changed.'
          ) : (
            <>
              Group <code>{group}</code>
            </>
          )
        }
        actions={
          <>
            {ids.length === 0 ? null : (
              <AsCommand
                hangar={command}
                curl={curlFor('GET', group === null ? `/jobs/${ids[0]}` : `/jobs?${new URLSearchParams({ group })}`)}
              />
            )}
            {group === null ? null : (
              <Button
                renderRoot={(props) => <Link to="/jobs" search={{ group }} {...props} />}
                variant="default"
                leftSection={<IconListDetails size={15} />}
              >
                Jobs of the group
              </Button>
            )}
          </>
        }
      />
      <Loaded of={jobs} skeleton={<CompareSkeleton />}>
        {(loaded) =>
          loaded.length === 0 ? (
            <EmptyState
              icon={<IconArrowsDiff size={28} />}
              sentence={
                group === null
                  ? 'Send one spec to several agents, then set what they made side by side and pull the one you like.'
                  : 'You have no jobs of this group.'
              }
              action={
                <Button component={Link} to="/jobs" variant="default">
                  Choose jobs
                </Button>
              }
              command="hangar run --cloud --agents claude,codex --spec spec.md"
            />
          ) : (
            <Compared jobs={loaded} diffs={diffs} file={file} onFile={onFile} />
          )
        }
      </Loaded>
    </Page>
  );
}

type ComparedProps = Omit<CompareViewProps, 'jobs' | 'group'> & { jobs: readonly Job[] };

function Compared({ jobs, diffs, file: asked, onFile }: ComparedProps) {
  const contents = useMemo(
    () => jobs.map((job, at) => (job.diff === null ? null : (diffs[at]?.data ?? null))),
    [jobs, diffs],
  );
  const files = useMemo(() => sideBySide(contents), [contents]);
  const waits = jobs.some((job, at) => job.diff !== null && diffs[at]?.data === undefined && !diffs[at]?.error);
  const file =
    files.find(({ path }) => showPath(path) === asked) ??
    files.find(({ verdict }) => verdict === 'differs') ??
    files[0];
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
      <section className={classes.scroll} tabIndex={0} aria-label="Jobs side by side">
        <table className={classes.table}>
          <thead>
            <tr>
              <td />
              {jobs.map((job, at) => (
                <th key={job.id} scope="col">
                  <Link to="/jobs/$id" params={{ id: job.id }} className={classes.job}>
                    <span className={classes.number}>{at + 1}</span>
                    <span className={classes.agent} title={job.agent}>
                      {job.agent}
                    </span>
                  </Link>
                  <JobBadge job={job} since={!isFinal(job.state)} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Facts jobs={jobs} />
            <tr className={classes.divide}>
              <th scope="row">{files.length === 0 ? 'Files' : plural(files.length, 'file')}</th>
              {jobs.map((job, at) => (
                <td key={job.id} className={classes.note}>
                  {noteOf(job, diffs[at])}
                </td>
              ))}
            </tr>
            {files.map((entry) => (
              <FileRow key={entry.path} entry={entry} isShown={entry === file} onFile={onFile} />
            ))}
          </tbody>
        </table>
      </section>
      {waits && files.length === 0 ? <LinesSkeleton lines={6} /> : null}
      {file === undefined ? null : <Ways file={file} jobs={jobs} />}
    </>
  );
}

/** Why a column has no files, or not all. */
function noteOf(job: Job, diff: Loadable<DiffContent> | undefined): string {
  if (job.diff === null) return isFinal(job.state) ? 'no diff' : 'no diff yet';
  if (job.diff.filesChanged === 0) return 'changed nothing';
  if (diff?.error) return diff.error.message;
  if (diff?.data?.drawable === false && diff.data.files.length === 0) return 'too large to read here';
  if (job.diff.partial) return isFinal(job.state) ? 'partial' : 'so far';
  return '';
}

function Facts({ jobs }: { jobs: readonly Job[] }) {
  const now = useNow();
  const times = jobs.map((job) => agentMs(job, now));
  const maxMs = Math.max(0, ...times.map((ms) => ms ?? 0));
  const has = (of: (job: Job) => string | null) => jobs.some((job) => of(job) !== null);
  return (
    <>
      <FactRow name="Agent ran" jobs={jobs}>
        {(job, at) => {
          const ms = times[at] ?? null;
          return ms === null ? null : <DurationBar ms={ms} maxMs={maxMs} tone={jobWords(job).tone} />;
        }}
      </FactRow>
      <FactRow name="Changed" jobs={jobs}>
        {(job) => (job.diff === null ? null : <DiffStatWords diff={job.diff} />)}
      </FactRow>
      {has(({ usage }) => tokenWords(usage)) ? (
        <FactRow name="Tokens in / out" jobs={jobs}>
          {({ usage }) => tokenWords(usage)}
        </FactRow>
      ) : null}
      {has(({ usage }) => costWords(usage)) ? (
        <FactRow name="Cost" jobs={jobs}>
          {({ usage }) => costWords(usage)}
        </FactRow>
      ) : null}
      <FactRow name="Exit code" jobs={jobs}>
        {(job) => (job.exitCode === null ? null : formatCount(job.exitCode))}
      </FactRow>
      {jobs.some((job) => job.failure !== null) ? (
        <FactRow name="Why" jobs={jobs}>
          {(job) => (job.failure === null ? null : <span className={classes.why}>{job.failure.message}</span>)}
        </FactRow>
      ) : null}
      <FactRow name="Take it" jobs={jobs}>
        {(job) =>
          isFinal(job.state) && job.diff !== null && job.diff.filesChanged > 0 ? (
            <Command text={asCommand(RAW_OPERATIONS.jobs.diff, { id: job.id }).hangar} />
          ) : null
        }
      </FactRow>
    </>
  );
}

interface FactRowProps {
  name: string;
  jobs: readonly Job[];
  children: (job: Job, at: number) => ReactNode;
}

function FactRow({ name, jobs, children }: FactRowProps) {
  return (
    <tr>
      <th scope="row">{name}</th>
      {jobs.map((job, at) => (
        <td key={job.id} className="hg-num">
          {children(job, at) ?? <span className={classes.none}>–</span>}
        </td>
      ))}
    </tr>
  );
}

/** The numbers of the columns that changed it. */
const changedBy = ({ changes }: ComparedFile): number[] =>
  changes.flatMap((change, at) => (change === null ? [] : [at + 1]));

function FileRow(props: { entry: ComparedFile; isShown: boolean; onFile: (path: string) => void }) {
  const { entry, isShown, onFile } = props;
  return (
    <tr className={classes.file} data-shown={isShown || undefined}>
      <th scope="row">
        <button
          type="button"
          className={classes.path}
          aria-current={isShown ? 'true' : undefined}
          title={visiblePath(entry.path)}
          onClick={() => onFile(showPath(entry.path))}
        >
          <span className={classes.pathText}>
            <bdi>{visiblePath(entry.path)}</bdi>
          </span>
          <span className={classes.verdict} data-verdict={entry.verdict}>
            {verdictWords(entry.verdict, changedBy(entry), entry.ways.length)}
          </span>
        </button>
      </th>
      {entry.changes.map((change, at) => {
        const way = entry.ways.findIndex(({ jobs }) => jobs.includes(at));
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a column has no other name than its place
          <td key={at}>
            {change === null ? (
              <span className={classes.none}>·</span>
            ) : (
              <span className={classes.change}>
                {change.isBinary ? 'binary' : <Counts {...change} />}
                {entry.ways.length > 1 ? <span className={classes.letter}>{wayLetter(way)}</span> : null}
              </span>
            )}
          </td>
        );
      })}
    </tr>
  );
}

/** The ways in which one file was changed, each with the jobs that did it so. */
function Ways({ file, jobs }: { file: ComparedFile; jobs: readonly Job[] }) {
  const [wrap, setWrap] = useState(true);
  return (
    <section className={classes.ways} aria-label={`Changes of ${visiblePath(file.path)}`}>
      <div className={classes.waysHead}>
        <h2>
          <bdi>{visiblePath(file.path)}</bdi>
        </h2>
        <span className={classes.faint}>
          {file.ways.length === 1 ? 'changed in one way' : `changed in ${file.ways.length} ways`}
        </span>
        <Button variant="default" aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
          {wrap ? 'Do not wrap' : 'Wrap'}
        </Button>
      </div>
      <div className={classes.cards}>
        {file.ways.map((way, index) => (
          <FileCard
            key={`${file.path}/${way.jobs.join('-')}`}
            file={way.file}
            way={`way ${wayLetter(index)}`}
            mode="unified"
            wrap={wrap}
            heading={
              <span className={classes.heading}>
                {file.ways.length > 1 ? <span className={classes.letter}>{wayLetter(index)}</span> : null}
                <span className={classes.wayJobs}>
                  {way.jobs.map((at) => (
                    <span key={at} className={classes.wayJob} title={jobs[at]?.agent}>
                      <span className={classes.number}>{at + 1}</span> {jobs[at]?.agent}
                    </span>
                  ))}
                </span>
              </span>
            }
          />
        ))}
      </div>
    </section>
  );
}

function CompareSkeleton() {
  return (
    <div aria-hidden style={{ display: 'grid', gap: 14 }}>
      <Bone width="60%" height={18} />
      <LinesSkeleton lines={5} />
      <Bone height={220} />
    </div>
  );
}
