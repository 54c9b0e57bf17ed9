import { shellCommand } from '@hangar/contract/shell-words';
import { curlFor } from '../../components/as-command.tsx';
import { type PodsFilter, queryOf } from './filter.ts';

interface Commands {
  readonly hangar: string;
  readonly curl: string;
}

/** What is shown of a cluster, as typed in a terminal; of the same cluster. */
function clusterCommand(words: readonly string[], path: string, context: string | undefined): Commands {
  return {
    hangar: shellCommand(['hangar', 'k8s', ...words, ...(context === undefined ? [] : ['--context', context])]),
    curl: curlFor('GET', `/k8s/${path}${context === undefined ? '' : `?${new URLSearchParams({ context })}`}`),
  };
}

export const healthCommand = (context: string | undefined): Commands => clusterCommand(['health'], 'health', context);
export const nodesCommand = (context: string | undefined): Commands => clusterCommand(['nodes'], 'nodes', context);
export const podCommand = (namespace: string, name: string, context: string | undefined): Commands =>
  clusterCommand(
    ['pod', namespace, name],
    `pods/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`,
    context,
  );

/** The list that is shown. */
export function listCommand(filter: PodsFilter, context: string | undefined): Commands {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(queryOf(filter, context)))
    if (name !== 'limit' && !(name === 'offset' && value === 0))
      for (const one of [value].flat()) query.append(name, String(one));
  const words = ['hangar', 'k8s', 'pods', ...filter.states.flatMap((state) => ['--status', state])];
  const flags: [string, string | null | undefined][] = [
    ['--namespace', filter.namespace],
    ['--node', filter.nodeName],
    ['--search', filter.search === '' ? null : filter.search],
    ['--sort', filter.sort === 'attention' ? null : filter.sort.replace('-', '')],
    ['--context', context],
  ];
  for (const [flag, value] of flags) if (value !== null && value !== undefined) words.push(flag, value);
  if (filter.sort.startsWith('-')) words.push('--reverse');
  return { hangar: shellCommand(words), curl: curlFor('GET', `/k8s/pods?${query}`) };
}
