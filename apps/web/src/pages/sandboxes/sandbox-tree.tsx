import type { Sandbox, SandboxDiff } from '@hangar/contract';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useDiff } from '../../modules/diff/use-diff.ts';
import { TreePanel } from '../../modules/sandboxes/tree-panel.tsx';
import { useWhyUnable } from './sandbox-machine.tsx';

export function SandboxTree({ sandbox }: { sandbox: Sandbox }) {
  const api = useApi();
  const unable = useWhyUnable(sandbox);
  const { id } = sandbox;
  const [path, setPath] = useState('');
  const [file, setFile] = useState<string | null>(null);
  const made = useQuery({
    queryKey: ['sandbox-diff', id, path],
    // Reads all of a tree in the machine: made when somebody asks for it.
    ...{ enabled: unable === null, staleTime: Number.POSITIVE_INFINITY, gcTime: 0, retry: false },
    ...{ refetchOnWindowFocus: false, refetchOnReconnect: false },
    queryFn: () => api.sandboxes.diff.call({ id, ...(path === '' ? {} : { path }) }),
  });
  const hrefOf = ({ diff }: SandboxDiff) => `/api/drivers/sessions/${id}/diff/${diff}`;
  const stat = made.data === undefined ? null : { ...made.data, partial: false };
  const content = useDiff(
    made.data === undefined ? '' : hrefOf(made.data),
    stat,
    stat !== null && stat.filesChanged > 0,
  );
  return (
    <TreePanel
      {...{ unable, id, path, file, hrefOf, content }}
      made={loadable(made)}
      onPath={(next) => {
        setFile(null);
        setPath(next);
      }}
      onAgain={() => void made.refetch()}
      onFile={setFile}
    />
  );
}
