import type { JobDetail } from '@hangar/contract';
import { isFinal } from '@hangar/contract/state-words';
import { partialDiffWords } from '@hangar/contract/words/job-ending';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useLocation } from '@tanstack/react-router';
import { useCallback, useMemo, useSyncExternalStore } from 'react';
import { useApi, useMe } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import { loadable } from '../../api/loadable.ts';
import { patch } from '../../api/patch.ts';
import { useAsked } from '../../components/actions/confirm.tsx';
import { copyText } from '../../components/actions/copy.tsx';
import { useNotice } from '../../components/actions/notices.tsx';
import { useAction } from '../../components/actions/use-action.ts';
import { tabOf, tabParameter } from '../../components/detail/detail-page.tsx';
import { type LineRange, lineHash, parseLineHash } from '../../components/log/log-link.ts';
import { EmptyState, LinesSkeleton, Loaded } from '../../components/state/states.tsx';
import { DiffViewer } from '../../modules/diff/diff-view.tsx';
import { useDiff } from '../../modules/diff/use-diff.ts';
import { artifactHref } from '../../modules/jobs/job/artifact-list.tsx';
import { aroundEvidence, type EvidenceLine } from '../../modules/jobs/job/evidence.ts';
import { jobCommands } from '../../modules/jobs/job/job-commands.ts';
import { JobLog } from '../../modules/jobs/job/job-log.tsx';
import { JOB_TABS, type JobTab, JobView } from '../../modules/jobs/job/job-view.tsx';
import type { LogReader } from '../../modules/logs/log-reader.ts';
import { useLog } from '../../modules/logs/use-log.ts';
import { usePaletteActions } from '../../shell/palette/actions.tsx';

const route = getRouteApi('/app/jobs/$id');

export function JobPage() {
  const { id } = route.useParams();
  // Everything on the page belongs to one job: another job is another page.
  return <OneJob key={id} id={id} />;
}

function OneJob({ id }: { id: string }) {
  const api = useApi();
  const queries = useQueryClient();
  const notify = useNotice();
  const navigate = route.useNavigate();
  const search = route.useSearch();
  const hash = useLocation({ select: (location) => location.hash });
  const tab = tabOf(JOB_TABS, search.tab);

  const query = useQuery({
    ...api.jobs.get.queryOptions({ input: { id } }),
    // When the worker was heard last is in no event: it is asked for.
    refetchInterval: ({ state }) => (state.data !== undefined && isFinal(state.data.state) ? false : HEARD_MS),
  });
  const job = query.data;
  const log = useLog(`/api/jobs/${id}/logs`);
  const artifacts = useQuery(
    api.jobs.artifacts.queryOptions({ input: { id }, enabled: tab === 'artifacts', staleTime: 5000 }),
  );
  const marked = useMemo(
    () => parseLineHash(hash) ?? (search.line === undefined ? null : { from: search.line, to: search.line }),
    [hash, search.line],
  );

  const onTab = useCallback(
    (next: JobTab) =>
      void navigate({ search: { tab: tabParameter(JOB_TABS, next) }, replace: true, resetScroll: false }),
    [navigate],
  );
  const onMark = useCallback(
    (range: LineRange | null) =>
      void navigate({
        search: {},
        hash: range === null ? '' : lineHash(range),
        replace: true,
        resetScroll: false,
        hashScrollIntoView: false,
      }),
    [navigate],
  );

  const undoRetry = async (made: string) => {
    try {
      patch(queries, api, 'job', await api.jobs.cancel.call({ id: made }));
      notify({ text: `${made} is being cancelled` });
    } catch (thrown) {
      const { message, wayOut } = asHangarError(thrown);
      notify({ text: `${made} is not cancelled: ${message} ${wayOut}`, tone: 'bad' });
    }
  };
  const cancel = useAsked(async (asked: string) =>
    patch(queries, api, 'job', await api.jobs.cancel.call({ id: asked })),
  );
  const retry = useAction(
    async () => {
      const made = await api.jobs.retry.call({ id });
      void queries.invalidateQueries({ queryKey: api.jobs.list.key() });
      notify({ text: `Sent again as ${made.id}`, action: { label: 'Undo', onClick: () => void undoRetry(made.id) } });
      return made;
    },
    (made) => void navigate({ to: '/jobs/$id', params: { id: made.id }, search: {} }),
  );
  const me = useMe();
  const isMine = job !== undefined && me.data?.user.id === job.owner.id;
  const openSandbox = useAction(
    () => api.sandboxes.open.call({ job: id }),
    (made) => void navigate({ to: '/sandboxes/$id', params: { id: made.id }, search: {} }),
  );
  useJobActions(job, () => cancel.ask(id), retry.run);

  return (
    <JobView
      job={loadable(query)}
      tab={tab}
      onTab={onTab}
      log={
        <JobLog
          jobId={id}
          reader={log.reader}
          reading={log.reading}
          ended={job !== undefined && isFinal(job.state)}
          marked={marked}
          onMark={onMark}
        />
      }
      diff={job === undefined || tab !== 'diff' ? null : <JobDiff job={job} file={search.file ?? null} />}
      artifacts={{ ...loadable(artifacts), data: artifacts.data?.items }}
      lastLines={useEvidence(log.reader, job?.evidence ?? null)}
      inGroup={useGroupSize(job?.group ?? null)}
      onLine={(n) => onMark({ from: n, to: n })}
      cancel={cancel}
      retry={retry}
      openSandbox={isMine ? openSandbox : null}
    />
  );
}

function JobDiff({ job, file }: { job: JobDetail; file: string | null }) {
  const navigate = route.useNavigate();
  const href = artifactHref(job.id, 'diff');
  const diff = useDiff(href, job.diff, true);
  if (job.diff === null)
    return (
      <EmptyState
        sentence={
          isFinal(job.state)
            ? 'The job left no diff.'
            : 'The diff appears here: a checkpoint every few minutes, the whole when the agent has ended.'
        }
      />
    );
  const { sizeBytes } = job.diff;
  return (
    <Loaded of={diff} skeleton={<LinesSkeleton lines={8} />}>
      {(content) => (
        <DiffViewer
          content={content}
          sizeBytes={sizeBytes}
          downloadHref={href}
          pullCommand={jobCommands(job).pull.hangar}
          partial={partialDiffWords(job)}
          file={file}
          onFile={(path) => void navigate({ search: { tab: 'diff', file: path }, replace: true, resetScroll: false })}
        />
      )}
    </Loaded>
  );
}

/** Well below the silence that is worth a word. */
const HEARD_MS = 10_000;
const NO_LINES: readonly EvidenceLine[] = [];

/** The line the server found, with those around it that are here. */
function useEvidence(reader: LogReader, evidence: JobDetail['evidence']): readonly EvidenceLine[] {
  const version = useSyncExternalStore(
    reader.buffer.subscribe,
    // While nothing is wrong, new lines are no business of the whole page.
    () => (evidence === null ? -1 : reader.buffer.version),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version says that the buffer has changed
  return useMemo(
    () => (evidence === null ? NO_LINES : aroundEvidence(reader.buffer, evidence)),
    [reader, evidence, version],
  );
}

/** How many jobs its group has; null where there is no group. */
function useGroupSize(group: string | null): number | null {
  const api = useApi();
  const { data } = useQuery(
    api.jobs.list.queryOptions({ input: { group: group ?? '', limit: 20 }, enabled: group !== null }),
  );
  return data?.items.length ?? null;
}

/** What the palette offers on this page. */
function useJobActions(job: JobDetail | undefined, onCancel: () => void, onRetry: () => void): void {
  const id = job?.id;
  const isOver = job !== undefined && isFinal(job.state);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the two functions do the same whenever they are called
  const actions = useMemo(() => {
    if (id === undefined) return [];
    const { pull, logs } = jobCommands({ id });
    return [
      isOver
        ? { id: 'job-retry', label: 'Retry this job', run: onRetry }
        : { id: 'job-cancel', label: 'Cancel this job', run: onCancel },
      { id: 'job-copy-pull', label: 'Copy command', detail: pull.hangar, run: () => void copyText(pull.hangar) },
      { id: 'job-copy-logs', label: 'Copy command', detail: logs.hangar, run: () => void copyText(logs.hangar) },
    ];
  }, [id, isOver]);
  usePaletteActions(actions);
}
