import type { Execution, Sandbox } from '@hangar/contract';
import { isClosed } from '@hangar/contract/state-words';
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useApi, useMe } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { PAGES, pagesOf } from '../../api/pages.ts';
import { patch } from '../../api/patch.ts';
import { useStreams } from '../../api/streams/streams.tsx';
import { useAsked } from '../../components/actions/confirm.tsx';
import { useAction } from '../../components/actions/use-action.ts';
import { tabOf, tabParameter } from '../../components/detail/detail-page.tsx';
import { sent } from '../../components/list/list-filter.ts';
import { ExecutionOutput } from '../../modules/sandboxes/execution-output.tsx';
import { ExecutionPanel } from '../../modules/sandboxes/execution-panel.tsx';
import { OutputReader } from '../../modules/sandboxes/output-reader.ts';
import { SANDBOX_TABS, SandboxView } from '../../modules/sandboxes/sandbox-view.tsx';
import { SandboxFiles, SandboxLoad, SandboxMachine } from './sandbox-machine.tsx';
import { openTerminals, SandboxTerminals } from './sandbox-terminals.tsx';
import { SandboxTree } from './sandbox-tree.tsx';

const route = getRouteApi('/app/sandboxes/$id');

export function SandboxPage() {
  const { id } = route.useParams();
  return <OneSandbox key={id} id={id} />;
}

function OneSandbox({ id }: { id: string }) {
  const api = useApi();
  const me = useMe();
  const queries = useQueryClient();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const tab = tabOf(SANDBOX_TABS, search.tab);
  const query = useQuery(api.sandboxes.get.queryOptions({ input: { id } }));
  const change = (work: () => Promise<Sandbox>) => async () => patch(queries, api, 'sandbox', await work());
  const close = useAsked(async (asked: string) =>
    patch(queries, api, 'sandbox', await api.sandboxes.close.call({ id: asked })),
  );
  const pause = useAction(change(() => api.sandboxes.pause.call({ id })));
  const resume = useAction(change(() => api.sandboxes.resume.call({ id })));
  return (
    <SandboxView
      sandbox={loadable(query)}
      tab={tab}
      onTab={(next) =>
        void navigate({
          search: { ...search, tab: tabParameter(SANDBOX_TABS, next) },
          replace: true,
          resetScroll: false,
        })
      }
      executions={<Executions sandbox={query.data} id={id} />}
      terminal={query.data === undefined ? null : <SandboxTerminals sandbox={query.data} />}
      files={query.data === undefined ? null : <SandboxFiles sandbox={query.data} />}
      diff={query.data === undefined || tab !== 'diff' ? null : <SandboxTree sandbox={query.data} />}
      machine={query.data === undefined ? null : <SandboxMachine sandbox={query.data} />}
      isMine={query.data !== undefined && me.data?.user.id === query.data.owner.id}
      close={close}
      pause={pause}
      resume={resume}
    />
  );
}

function Executions({ id, sandbox }: { id: string; sandbox: Sandbox | undefined }) {
  const api = useApi();
  const queries = useQueryClient();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const executions = useInfiniteQuery(
    api.sandboxes.executions.infiniteOptions({
      ...PAGES,
      input: (cursor: string | undefined) => ({ id, limit: 50, ...sent({ cursor }) }),
    }),
  );
  const onChoose = (execution: string) =>
    void navigate({ search: { ...search, execution }, replace: true, resetScroll: false });
  const execute = useAction(
    async (shell: string) => {
      const made = await api.sandboxes.execute.call({ sandbox: id, command: { shell } });
      await queries.invalidateQueries({ queryKey: api.sandboxes.executions.key() });
      return made;
    },
    (made) => onChoose(made.id),
  );
  const cancel = useAction(async (execution: string) => {
    patch(queries, api, 'execution', await api.sandboxes.cancel.call({ id: execution }));
  });
  const { of, ...paging } = pagesOf(executions);
  return (
    <ExecutionPanel
      executions={of}
      {...paging}
      chosen={search.execution ?? null}
      onChoose={onChoose}
      execute={execute}
      unable={sandbox === undefined ? 'Loading' : whyUnable(sandbox)}
      cancel={cancel}
      onTerminal={(terminal) => {
        const all = [...new Set([...openTerminals(search), terminal])];
        void navigate({
          search: { ...search, tab: 'terminal', terminal, terminals: all.length > 1 ? all.join(',') : undefined },
          resetScroll: false,
        });
      }}
      monitor={sandbox === undefined ? null : <SandboxLoad sandbox={sandbox} />}
      outputOf={(execution) => <FollowedOutput key={execution.id} execution={execution} />}
    />
  );
}

function whyUnable({ state, closeRequestedAt }: Sandbox): string | null {
  if (isClosed(state) || state === 'closing' || closeRequestedAt !== null) return 'The sandbox is closed';
  return state === 'paused' ? 'It is paused' : null;
}

function FollowedOutput({ execution }: { execution: Execution }) {
  const streams = useStreams();
  const [reader] = useState(() => new OutputReader(streams, execution.id));
  useEffect(() => reader.start(), [reader]);
  const reading = useSyncExternalStore(reader.subscribe, reader.snapshot);
  return <ExecutionOutput execution={execution} buffer={reader.buffer} reading={reading} onRetry={reader.start} />;
}
