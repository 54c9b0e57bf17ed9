import type { Sandbox } from '@hangar/contract';
import { isEnded } from '@hangar/contract/state-words';
import { OWN_SHELL } from '@hangar/contract/terminals';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useRef } from 'react';
import { useApi } from '../../api/client.tsx';
import { PAGES, pagesOf } from '../../api/pages.ts';
import { patch } from '../../api/patch.ts';
import { useAsked } from '../../components/actions/confirm.tsx';
import { useAction } from '../../components/actions/use-action.ts';
import { sent } from '../../components/list/list-filter.ts';
import { TerminalReader } from '../../modules/terminal/terminal-reader.ts';
import { TerminalsView } from '../../modules/terminal/terminals-view.tsx';
import { useWhyUnable } from './sandbox-machine.tsx';

const route = getRouteApi('/app/sandboxes/$id');

/** What programs are told of the screen. */
const SCREEN = { TERM: 'xterm-256color', COLORTERM: 'truecolor' };

/** The terminals of a sandbox. Those that are open stand in the address, so that a reload finds them again. */
export function SandboxTerminals({ sandbox }: { sandbox: Sandbox }) {
  const api = useApi();
  const queries = useQueryClient();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const unable = useWhyUnable(sandbox);
  const lines = useRef(new Map<string, TerminalReader>());
  const { id } = sandbox;

  const executions = useInfiniteQuery(
    api.sandboxes.executions.infiniteOptions({
      ...PAGES,
      input: (cursor: string | undefined) => ({ id, limit: 50, ...sent({ cursor }) }),
    }),
  );
  const known = pagesOf(executions).of.data?.items ?? [];
  const open = openTerminals(search);
  const lineOf = (terminal: string, isNew = false) => {
    const line = lines.current.get(terminal) ?? new TerminalReader(api, terminal, isNew);
    lines.current.set(terminal, line);
    return line;
  };
  const show = (shown: string | undefined, all: readonly string[]) =>
    void navigate({
      search: { ...search, terminal: shown, terminals: all.length > 1 ? all.join(',') : undefined },
      replace: true,
      resetScroll: false,
    });

  const another = useAction(
    async () => {
      const made = await api.sandboxes.execute.call({
        sandbox: id,
        command: OWN_SHELL,
        env: SCREEN,
        terminal: { columns: 80, rows: 24 },
      });
      lineOf(made.id, true);
      await queries.invalidateQueries({ queryKey: api.sandboxes.executions.key() });
      return made;
    },
    (made) => show(made.id, [...open, made.id]),
  );
  const end = useAsked(async (terminal: string) => {
    patch(queries, api, 'execution', await api.sandboxes.cancel.call({ id: terminal }));
  });
  return (
    <TerminalsView
      unable={unable}
      open={open.map((terminal) => ({
        id: terminal,
        line: lineOf(terminal),
        execution: known.find((one) => one.id === terminal),
      }))}
      shown={search.terminal ?? null}
      onShow={(terminal) => show(terminal, open)}
      onLeave={(terminal) => {
        const rest = open.filter((one) => one !== terminal);
        lines.current.delete(terminal);
        show(search.terminal === terminal ? rest.at(-1) : search.terminal, rest);
      }}
      running={known.filter(({ id: one, terminal, state }) => terminal && !isEnded(state) && !open.includes(one))}
      onJoin={(terminal) => show(terminal, [...open, terminal])}
      another={another}
      end={end}
      command={`hangar sandbox shell ${id}`}
    />
  );
}

/** As they stand in the address; what is no id of an execution is left out. */
export function openTerminals({
  terminal,
  terminals,
}: {
  terminal?: string | undefined;
  terminals?: string | undefined;
}): string[] {
  const named = [...(terminals ?? '').split(','), terminal ?? ''];
  return [...new Set(named)].filter((one) => /^e_[a-z0-9]+$/.test(one));
}
