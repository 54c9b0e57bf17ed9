import type { FileEntry, Sandbox } from '@hangar/contract';
import { fromWire } from '@hangar/contract/errors';
import { pathQuery } from '@hangar/contract/path-bytes';
import { isClosed } from '@hangar/contract/state-words';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useApi, useMe } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import { loadable } from '../../api/loadable.ts';
import { useStreams } from '../../api/streams/streams.tsx';
import { useAsked } from '../../components/actions/confirm.tsx';
import { useAction } from '../../components/actions/use-action.ts';
import { sent } from '../../components/list/list-filter.ts';
import type { Named } from '../../modules/sandboxes/file-name.tsx';
import { FilesPanel, SHOWN_MOST } from '../../modules/sandboxes/files-panel.tsx';
import { LoadGraphs, type LoadReading } from '../../modules/sandboxes/load-graphs.tsx';
import { LoadReader } from '../../modules/sandboxes/load-reader.ts';
import { MachinePanel } from '../../modules/sandboxes/machine-panel.tsx';

const route = getRouteApi('/app/sandboxes/$id');

/** Why nobody looks into its machine now; null: they can. */
export function useWhyUnable({ state, owner, readyAt }: Sandbox): string | null {
  const me = useMe();
  if (me.data !== undefined && me.data.user.id !== owner.id) return `Only ${owner.name} can look into this machine.`;
  if (isClosed(state) || state === 'closing') return 'The sandbox is closed: its machine is gone.';
  if (state === 'paused') return 'It is paused: resume it to look into its machine.';
  return readyAt === null ? 'Its machine is not there yet.' : null;
}

const contentUrl = (route: 'content' | 'tar', sandbox: string, path: string, more: Record<string, string> = {}) =>
  `/api/drivers/files/${route}?${new URLSearchParams({ sandbox, ...pathQuery(path), ...more })}`;

async function fetched(url: string, init: RequestInit = {}): Promise<Response> {
  try {
    const answer = await fetch(url, { credentials: 'same-origin', ...init });
    if (answer.ok) return answer;
    throw fromWire(await answer.json().catch(() => null)) ?? asHangarError({ status: answer.status });
  } catch (error) {
    throw asHangarError(error);
  }
}

/** Null: it is no text. */
function textIn(bytes: ArrayBuffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

export function SandboxFiles({ sandbox }: { sandbox: Sandbox }) {
  const api = useApi();
  const queries = useQueryClient();
  const unable = useWhyUnable(sandbox);
  const { id } = sandbox;
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [naming, setNaming] = useState<Named | null>(null);
  const [open, setOpen] = useState<FileEntry | null>(null);
  const { path, pathBase64 } = search;
  const input = { sandbox: id, ...sent({ path, pathBase64 }) };
  const folder = useQuery({ ...api.files.list.queryOptions({ input }), enabled: unable === null });
  const at = (name: string) => `${(folder.data?.path ?? '').replace(/\/+$/, '')}/${name}`;
  const text = useQuery({
    queryKey: ['sandbox-file', id, open === null ? null : at(open.name), open?.modifiedAt],
    enabled: open !== null,
    queryFn: async ({ signal }) => {
      const url = contentUrl('content', id, at(open?.name ?? ''), { length: String(SHOWN_MOST) });
      return textIn(await (await fetched(url, { signal })).arrayBuffer());
    },
  });
  const again = () => queries.invalidateQueries({ queryKey: api.files.list.key() });
  const upload = useAction(async (file: File) => {
    await fetched(contentUrl('content', id, at(file.name)), {
      ...{ method: 'PUT', body: file, headers: { 'content-type': 'application/octet-stream' } },
    });
    await again();
  });
  const remove = useAsked(async (entry: FileEntry) => {
    await api.files.remove.call({ sandbox: id, path: at(entry.name), recursive: entry.type === 'folder' });
    if (open?.name === entry.name) setOpen(null);
    await again();
  });
  const give = useAction(
    async (about: Named, name: string) => {
      if (about === 'folder') await api.files.makeFolder.call({ sandbox: id, path: at(name) });
      else if (about.name !== name) await api.files.move.call({ sandbox: id, path: at(about.name), to: at(name) });
      if (about !== 'folder' && open?.name === about.name) setOpen(null);
      await again();
    },
    () => setNaming(null),
  );
  return (
    <FilesPanel
      unable={unable}
      folder={loadable(folder)}
      onFolder={(next) => {
        setOpen(null);
        const { path: _path, pathBase64: _bytes, ...rest } = search;
        void navigate({ search: { ...rest, ...(next === null ? {} : pathQuery(next)) }, resetScroll: false });
      }}
      open={open === null ? null : { entry: open, text: loadable(text) }}
      onOpen={setOpen}
      hrefOf={({ name, type }) =>
        type === 'folder' ? contentUrl('tar', id, at(name)) : contentUrl('content', id, at(name), { download: 'true' })
      }
      upload={upload}
      remove={remove}
      naming={{
        ...{ about: naming, onClose: () => setNaming(null), give },
        ask: (about) => {
          give.reset();
          setNaming(about);
        },
      }}
    />
  );
}

export function SandboxMachine({ sandbox }: { sandbox: Sandbox }) {
  const api = useApi();
  const unable = useWhyUnable(sandbox);
  const isAble = unable === null;
  const platform = useQuery({
    ...api.machines.platform.queryOptions({ input: { sandbox: sandbox.id } }),
    ...{ enabled: isAble, staleTime: 60_000 },
  });
  const load = useLoad(sandbox.id, isAble);
  return <MachinePanel unable={unable} platform={loadable(platform)} load={load} />;
}

/** What the machine uses, while something runs in it. */
export function SandboxLoad({ sandbox }: { sandbox: Sandbox }) {
  const isShown = useWhyUnable(sandbox) === null && sandbox.executionsRunning > 0;
  const load = useLoad(sandbox.id, isShown);
  return isShown ? <LoadGraphs load={load} small /> : null;
}

function useLoad(sandbox: string, isFollowed: boolean): LoadReading {
  const streams = useStreams();
  const [reader] = useState(() => new LoadReader(streams, sandbox));
  useEffect(() => (isFollowed ? reader.start() : undefined), [reader, isFollowed]);
  return useSyncExternalStore(reader.subscribe, reader.snapshot);
}
