import { curlFor } from '../../components/as-command.tsx';
import { type PodsFilter, queryOf } from './filter.ts';

interface Commands {
  readonly hangar: string;
  readonly curl: string;
}

/** The list that is shown, as typed in a terminal. */
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
  for (const [flag, value] of flags) if (value !== null && value !== undefined) words.push(flag, word(value));
  if (filter.sort.startsWith('-')) words.push('--reverse');
  return { hangar: words.join(' '), curl: curlFor('GET', `/k8s/pods?${query}`).replace(/(http\S+&\S*)$/, "'$1'") };
}

export function podCommand(namespace: string, name: string, context: string | undefined): Commands {
  return {
    hangar: `hangar k8s pod ${namespace} ${name}${context === undefined ? '' : ` --context ${word(context)}`}`,
    curl: curlFor('GET', `/k8s/pods/${namespace}/${name}`),
  };
}

/** As a POSIX shell would be given it; what needs no quotes gets none. */
const word = (text: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
