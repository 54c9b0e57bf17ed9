import type { Sandbox } from '@hangar/contract';
import { Modal } from '@mantine/core';
import { useState } from 'react';
import { LogBuffer } from '../../components/log/log-buffer.ts';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { failed, live, loading, refetching, stale } from '../../gallery/samples.ts';
import { ExecutionOutput } from './execution-output.tsx';
import { ExecutionPanel, type ExecutionPanelProps } from './execution-panel.tsx';
import { SANDBOXES_FILTER } from './filter.ts';
import { LoadGraphs } from './load-graphs.tsx';
import { OpenForm } from './open-form.tsx';
import * as samples from './samples.ts';
import { SandboxView, type SandboxViewProps } from './sandbox-view.tsx';
import { SandboxesView, type SandboxesViewProps } from './sandboxes-view.tsx';

const FILTER = SANDBOXES_FILTER.read({});
const nothing = () => {};
const idle = { run: nothing, pending: false, error: null, reset: nothing };
const unasked = {
  ...{ ask: nothing, about: null, pending: false },
  dialog: { opened: false, onClose: nothing, onConfirm: nothing, pending: false, error: null },
};

function List(props: Partial<SandboxesViewProps> & Pick<SandboxesViewProps, 'sandboxes'>) {
  const [filter, setFilter] = useState(props.filter ?? FILTER);
  return (
    <SandboxesView
      onMore={nothing}
      loadingMore={false}
      profiles={['local', 'docker', 'build-box']}
      isAdmin={false}
      onOpen={nothing}
      {...props}
      filter={filter}
      onFilter={setFilter}
    />
  );
}

const printed = new LogBuffer();
printed.put(
  [
    '> notes@2.4.0 test',
    '> vitest --watch',
    '',
    ' \u001b[32m✓\u001b[39m src/search.test.ts (14 tests)',
    ' Waiting for file changes...',
  ].map((text, index) => ({ n: index + 1, at: '2026-05-04T14:01:07.000Z', stream: 'stdout' as const, text })),
);

function Panel(props: Partial<ExecutionPanelProps>) {
  const [chosen, setChosen] = useState<string | null>(null);
  return (
    <ExecutionPanel
      executions={live({ items: samples.executions, more: true })}
      onMore={nothing}
      loadingMore={false}
      chosen={chosen}
      onChoose={setChosen}
      execute={idle}
      unable={null}
      cancel={idle}
      monitor={null}
      onTerminal={nothing}
      outputOf={(execution) => (
        <ExecutionOutput
          execution={execution}
          buffer={printed}
          reading={{ status: 'live', error: null }}
          onRetry={nothing}
        />
      )}
      {...props}
    />
  );
}

const Page = (props: Partial<SandboxViewProps> & Pick<SandboxViewProps, 'sandbox'>) => (
  <SandboxView
    tab="executions"
    onTab={nothing}
    executions={<Panel />}
    terminal={null}
    files={null}
    diff={null}
    machine={null}
    isMine
    close={unasked}
    pause={idle}
    resume={idle}
    {...props}
  />
);
const page = (id: string, title: string, sandbox: Sandbox, more: Partial<SandboxViewProps> = {}): GalleryEntry => ({
  ...{ id: `sandboxes/page/${id}`, title, frame: 'bare' },
  render: () => <Page sandbox={live(sandbox)} {...more} />,
});
const MONITOR = <LoadGraphs load={{ status: 'live', samples: samples.load, away: null, error: null }} small />;
const NONE = <Panel executions={live({ items: [], more: false })} unable="The sandbox is closed" />;

export const entries: GalleryEntry[] = [
  {
    ...{ id: 'sandboxes/list', title: 'Sandboxes in all states', frame: 'bare' },
    render: () => <List sandboxes={live({ items: samples.all, more: true })} isAdmin />,
  },
  { id: 'sandboxes/loading', title: 'Sandboxes, loading', frame: 'bare', render: () => <List sandboxes={loading} /> },
  { id: 'sandboxes/error', title: 'Sandboxes, error', frame: 'bare', render: () => <List sandboxes={failed} /> },
  {
    ...{ id: 'sandboxes/refetching', title: 'Sandboxes, refetching', frame: 'bare' },
    render: () => <List sandboxes={refetching({ items: samples.all.slice(2, 5), more: false })} />,
  },
  {
    ...{ id: 'sandboxes/stale', title: 'Sandboxes, refetch failed', frame: 'bare' },
    render: () => <List sandboxes={stale({ items: samples.all.slice(2, 5), more: false })} />,
  },
  {
    ...{ id: 'sandboxes/empty', title: 'No sandboxes yet', frame: 'bare' },
    render: () => <List sandboxes={live({ items: [], more: false })} />,
  },
  {
    ...{ id: 'sandboxes/no-match', title: 'No sandbox fits', frame: 'bare' },
    render: () => <List sandboxes={live({ items: [], more: false })} filter={{ ...FILTER, profile: 'docker' }} />,
  },
  {
    ...{ id: 'sandboxes/open', title: 'Open a sandbox' },
    render: () => (
      <Modal opened onClose={nothing} title="Open a sandbox">
        <OpenForm profiles={['docker', 'local', 'build-box']} onOpen={() => new Promise(nothing)} onClose={nothing} />
      </Modal>
    ),
  },
  page('running', 'A sandbox that runs', samples.running, { executions: <Panel monitor={MONITOR} /> }),
  page('worker', 'The worker of a job in a sandbox, of another person', samples.running, {
    executions: <Panel chosen={samples.worker.id} />,
    isMine: false,
  }),
  page('starting', 'A sandbox that starts', samples.starting, {
    executions: <Panel executions={live({ items: [], more: false })} />,
  }),
  page('preparing', 'A sandbox whose files are laid out', samples.preparing, {
    executions: <Panel executions={live({ items: [], more: false })} />,
  }),
  page('of-job', 'A sandbox with the files of a job', samples.ofJob),
  page('reconnecting', 'A sandbox out of reach', samples.reconnecting),
  page('soon', 'A sandbox that closes soon', samples.soon),
  page('paused', 'A paused sandbox', samples.paused, { executions: <Panel unable="It is paused" /> }),
  page('failed', 'A sandbox that failed to open', samples.failed, { executions: NONE }),
  page('closed', 'A closed sandbox', samples.ended, { executions: <Panel unable="The sandbox is closed" /> }),
  page('details', 'Details of a sandbox', samples.running, { tab: 'details' }),
  {
    ...{ id: 'sandboxes/page/loading', title: 'A sandbox, loading', frame: 'bare' },
    render: () => <Page sandbox={loading} />,
  },
  {
    ...{ id: 'sandboxes/page/error', title: 'A sandbox, error', frame: 'bare' },
    render: () => <Page sandbox={failed} />,
  },
];
