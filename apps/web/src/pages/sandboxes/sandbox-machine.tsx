import type { FileEntry, Sandbox } from '@hangar/contract';
import { fromWire } from '@hangar/contract/errors';
import { pathQuery } from '@hangar/contract/path-bytes';
import { isClosed } from '@hangar/contract/state-words';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useApi, useMe } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import { loadable } from '../../api/loadable.ts';
import { useStreams } from '../../api/streams/streams.tsx';
import { useAsked } from '../../components/actions/confirm.tsx';
import { useAction } from '../../components/actions/use-action.ts';
import { FilesPanel, SHOWN_MOST } from '../../modules/sandboxes/files-panel.tsx';
import { LoadReader } from '../../modules/sandboxes/load-reader.ts';
import { MachinePanel } from '../../modules/sandboxes/machine-panel.tsx';

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
  /** Null: the home folder. */
  const [path, setPath] = useState<string | null>(null);
  const [open, setOpen] = useState<FileEntry | null>(null);
  const input = { sandbox: id, ...(path === null ? {} : pathQuery(path)) };
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
  return (
    <FilesPanel
      unable={unable}
      folder={loadable(folder)}
      onFolder={(next) => {
        setOpen(null);
        setPath(next);
      }}
      open={open === null ? null : { entry: open, text: loadable(text) }}
      onOpen={setOpen}
      hrefOf={({ name, type }) =>
        type === 'folder' ? contentUrl('tar', id, at(name)) : contentUrl('content', id, at(name), { download: 'true' })
      }
      upload={upload}
      remove={remove}
    />
  );
}

export function SandboxMachine({ sandbox }: { sandbox: Sandbox }) {
  const api = useApi();
  const streams = useStreams();
  const unable = useWhyUnable(sandbox);
  const isAble = unable === null;
  const platform = useQuery({
    ...api.machines.platform.queryOptions({ input: { sandbox: sandbox.id } }),
    ...{ enabled: isAble, staleTime: 60_000 },
  });
  const [reader] = useState(() => new LoadReader(streams, sandbox.id));
  useEffect(() => (isAble ? reader.start() : undefined), [reader, isAble]);
  const load = useSyncExternalStore(reader.subscribe, reader.snapshot);
  return <MachinePanel unable={unable} platform={loadable(platform)} load={load} />;
}
