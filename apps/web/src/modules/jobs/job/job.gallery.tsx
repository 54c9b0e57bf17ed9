import { HangarError, isFinal, type JobDetail, type LogLine, type LogStream } from '@hangar/contract';
import { failureOf, partialDiffWords } from '@hangar/contract/words/job-ending';
import { type ReactNode, useState } from 'react';
import type { Asked } from '../../../components/actions/confirm.tsx';
import type { Action } from '../../../components/actions/use-action.ts';
import { LogBuffer } from '../../../components/log/log-buffer.ts';
import type { LineRange } from '../../../components/log/log-link.ts';
import { LogView } from '../../../components/log/log-view.tsx';
import { EmptyState } from '../../../components/state/states.tsx';
import type { GalleryEntry } from '../../../gallery/registry.ts';
import { ago, failed as failedLoad, live, loading, refetching, stale } from '../../../gallery/samples.ts';
import { DiffViewer } from '../../diff/diff-view.tsx';
import { parseDiff } from '../../diff/parse-diff.ts';
import * as samples from '../samples.ts';
import { aroundEvidence } from './evidence.ts';
import { type JobTab, JobView, type JobViewProps } from './job-view.tsx';

const idle: Action<[]> = { run: () => {}, pending: false, error: null, reset: () => {} };

const notAsked: Asked<string> = {
  ask: () => {},
  about: null,
  pending: false,
  dialog: { opened: false, onClose: () => {}, onConfirm: () => {}, pending: false },
};

const DIFF = `diff --git a/src/notes/search.ts b/src/notes/search.ts
new file mode 100644
--- /dev/null
+++ b/src/notes/search.ts
@@ -0,0 +1,3 @@
+export function search(notes: Note[], text: string): Note[] {
+  return notes.filter((note) => note.title.includes(text) || note.body.includes(text));
+}
diff --git a/src/notes/list.ts b/src/notes/list.ts
--- a/src/notes/list.ts
+++ b/src/notes/list.ts
@@ -1,3 +1,4 @@
+import { search } from './search.ts';
 export function list(notes: Note[], tag: string | null): Note[] {
   return tag === null ? notes : notes.filter((note) => note.tags.includes(tag));
 }
`;

function bufferFor(job: JobDetail): LogBuffer {
  const buffer = new LogBuffer();
  if (job.logLines === 0) return buffer;
  const texts: [string, LogStream][] = [['Cloned acme/notes at 4f1c2ab, 1,204 files', 'system']];
  for (let n = 1; n < 60; n += 1)
    texts.push([`\u001b[32m✓\u001b[0m src/notes/part-${n}.test.ts \u001b[2m(${n % 9} tests)\u001b[0m`, 'stdout']);
  if (failureOf(job) !== null)
    texts.push(
      ['npm error code EBADENGINE', 'stderr'],
      ['npm error engine Unsupported engine', 'stderr'],
      ['npm error engine Not compatible with your version of node/npm: acme-build@4.2.0', 'stderr'],
      ['npm error notsup Required: {"node":"20.x"}', 'stderr'],
      ['npm error notsup Actual:   {"npm":"11.19.1","node":"v24.1.0"}', 'stderr'],
    );
  buffer.put(texts.map(([text, stream], index): LogLine => ({ n: index + 1, at: ago(180 - index), stream, text })));
  return buffer;
}

function Frame({
  job,
  tab: first = 'log',
  ...props
}: Partial<Omit<JobViewProps, 'job'>> & { job: JobDetail }): ReactNode {
  const [tab, setTab] = useState<JobTab>(first);
  const [buffer] = useState(() => bufferFor(job));
  const [marked, setMarked] = useState<LineRange | null>(null);
  return (
    <JobView
      job={live(job)}
      tab={tab}
      onTab={setTab}
      log={
        <LogView
          buffer={buffer}
          label={`Log of job ${job.id}`}
          state={isFinal(job.state) ? 'ended' : 'live'}
          empty={<EmptyState sentence="Nothing printed yet. The log begins when the job starts." />}
          marked={marked}
          onMark={setMarked}
          rawHref="#raw"
          downloadHref="#download"
        />
      }
      diff={
        job.diff === null ? (
          <EmptyState sentence="The job left no diff." />
        ) : (
          <DiffViewer
            content={{ files: parseDiff(DIFF), drawable: true }}
            sizeBytes={job.diff.sizeBytes}
            downloadHref="#download"
            pullCommand={`hangar pull ${job.id}`}
            partial={partialDiffWords(job)}
            file={null}
            onFile={() => {}}
          />
        )
      }
      artifacts={live(samples.artifacts)}
      lastLines={job.evidence === null ? [] : aroundEvidence(buffer, job.evidence)}
      inGroup={job.group === null ? null : 3}
      onLine={(n) => setMarked({ from: n, to: n })}
      cancel={notAsked}
      retry={idle}
      openSandbox={idle}
      {...props}
    />
  );
}

const entry = (id: string, title: string, render: () => ReactNode): GalleryEntry => ({
  id,
  title,
  frame: 'bare',
  render,
});
const noJob = (job: JobViewProps['job']) => (
  <JobView
    job={job}
    tab="log"
    onTab={() => {}}
    log={null}
    diff={null}
    artifacts={loading}
    lastLines={[]}
    inGroup={null}
    onLine={() => {}}
    cancel={notAsked}
    retry={idle}
    openSandbox={null}
  />
);

export const entries: GalleryEntry[] = [
  entry('job/queued', 'A job that waits', () => <Frame job={samples.queued} />),
  entry('job/starting', 'A job that starts', () => <Frame job={samples.starting} />),
  entry('job/running', 'A job that runs', () => <Frame job={samples.running} />),
  entry('job/in-sandbox', 'A job that works in a sandbox', () => <Frame job={samples.inSandbox} />),
  entry('job/slow', 'A phase far over its median, in a group', () => (
    <Frame
      job={{
        ...samples.running,
        group: 'add-search-7k2m',
        typical: samples.running.typical.map((phase) => ({ ...phase, medianSeconds: phase.medianSeconds / 6 })),
      }}
    />
  )),
  entry('job/cancelling', 'A job that is being cancelled', () => <Frame job={samples.cancelling} />),
  entry('job/succeeded', 'A job that succeeded', () => <Frame job={samples.succeeded} />),
  entry('job/left-out', 'A job whose diff does not hold all of its work', () => <Frame job={samples.leftBehind} />),
  entry('job/nothing-changed', 'A job that changed nothing', () => <Frame job={samples.nothingChanged} />),
  entry('job/failed', 'A job that failed', () => <Frame job={samples.failed} />),
  entry('job/refused', 'A job whose credential was refused', () => <Frame job={samples.badCredential} />),
  entry('job/cancelled', 'A job that was cancelled', () => <Frame job={samples.cancelled} />),
  entry('job/timed-out', 'A job whose time was up', () => <Frame job={samples.timedOut} />),
  entry('job/lost', 'A job whose worker was lost', () => <Frame job={samples.lost} />),
  entry('job/diff', 'The diff of a job', () => <Frame job={samples.succeeded} tab="diff" />),
  entry('job/partial-diff', 'The partial diff of a job', () => <Frame job={samples.timedOut} tab="diff" />),
  entry('job/no-diff', 'No diff', () => <Frame job={samples.badCredential} tab="diff" />),
  entry('job/artifacts', 'Artifacts', () => <Frame job={samples.succeeded} tab="artifacts" />),
  entry('job/no-artifacts', 'No artifacts yet', () => (
    <Frame job={samples.running} tab="artifacts" artifacts={live([])} />
  )),
  entry('job/spec', 'The spec', () => <Frame job={samples.running} tab="spec" />),
  entry('job/details', 'Details', () => <Frame job={samples.succeeded} tab="details" />),
  entry('job/details-in-sandbox', 'Details of one in a sandbox', () => <Frame job={samples.inSandbox} tab="details" />),
  entry('job/ask-cancel', 'Cancel, asked', () => (
    <Frame job={samples.running} cancel={{ ...notAsked, dialog: { ...notAsked.dialog, opened: true } }} />
  )),
  entry('job/retry-refused', 'Retry, refused', () => (
    <Frame job={samples.failed} retry={{ ...idle, error: new HangarError('quota_jobs', { details: { limit: 50 } }) }} />
  )),
  entry('job/retry-closed', 'Retry, its sandbox is closed', () => (
    <Frame
      job={{ ...samples.failed, sandbox: samples.inSandbox.sandbox }}
      retry={{
        ...idle,
        error: new HangarError('sandbox_closed', {
          message: 'Sandbox s_4k8m2qx7p1 is not open any more. Closed: nobody used it.',
        }),
      }}
    />
  )),
  entry('job/loading', 'Loading', () => noJob(loading)),
  entry('job/error', 'Error', () => noJob({ ...failedLoad, error: new HangarError('job_not_found') })),
  entry('job/refetching', 'Refetching', () => noJob(refetching(samples.running))),
  entry('job/stale', 'Refetch failed', () => noJob(stale(samples.running))),
];
