import type { ClusterNode, ClusterState, ClusterView, Pod, PodState, ResourceUse } from '@hangar/contract';
import type { Palette, Terminal } from '../../terminal/terminal.ts';
import { ago } from '../../terminal/words.ts';

interface Look {
  readonly mark: string;
  readonly paint: keyof Palette;
}

/** Mark and colour of a state; never colour alone. */
const CLUSTER: Record<ClusterState, Look & { readonly word: string }> = {
  connected: { mark: '✓', paint: 'green', word: 'connected' },
  connecting: { mark: '◐', paint: 'blue', word: 'connecting' },
  not_connected: { mark: '–', paint: 'dim', word: 'not connected' },
  unreachable: { mark: '✗', paint: 'red', word: 'out of reach' },
  refused: { mark: '✗', paint: 'red', word: 'refused' },
  forbidden: { mark: '✗', paint: 'yellow', word: 'nothing to see' },
};
const POD: Record<PodState, Look> = {
  pending: { mark: '○', paint: 'yellow' },
  failing: { mark: '✗', paint: 'red' },
  unknown: { mark: '?', paint: 'red' },
  failed: { mark: '✗', paint: 'red' },
  terminating: { mark: '◐', paint: 'blue' },
  running: { mark: '✓', paint: 'green' },
  succeeded: { mark: '–', paint: 'dim' },
};
const NODE: Record<ClusterNode['state'], Look & { readonly word: string }> = {
  ready: { mark: '✓', paint: 'green', word: 'ready' },
  not_ready: { mark: '✗', paint: 'red', word: 'not ready' },
  unknown: { mark: '?', paint: 'red', word: 'silent' },
  unschedulable: { mark: '–', paint: 'yellow', word: 'cordoned' },
};

export const clusterWord = (state: ClusterState, color: Palette): string => {
  const { mark, paint, word } = CLUSTER[state];
  return color[paint](`${mark} ${word}`);
};
export const nodeWord = (state: ClusterNode['state'], color: Palette): string => {
  const { mark, paint, word } = NODE[state];
  return color[paint](`${mark} ${word}`);
};
export const podWord = ({ state, status }: Pick<Pod, 'state' | 'status'>, color: Palette): string => {
  const { mark, paint } = POD[state];
  return color[paint](`${mark} ${status}`);
};

export const cores = (value: number): string =>
  value < 10 ? value.toFixed(2).replace(/\.?0+$/, '') : value.toFixed(0);

/** `12.4 of 64`: what is in use where that is measured, else what is asked for. */
export function share(use: ResourceUse, say: (value: number) => string): string {
  const taken = use.used ?? use.requested;
  return `${taken === null ? '–' : say(taken)} of ${say(use.allocatable)}`;
}

/** What keeps an answer from being the whole truth, on stderr. */
export function warnOf(view: ClusterView, terminal: Terminal): void {
  if (view.isSample) terminal.warn('Sample data: this server runs in demo mode.');
  if (view.trouble !== null) terminal.warn(`As of ${ago(view.asOf)}. ${view.trouble.message} ${view.trouble.wayOut}`);
  for (const { what, namespace, message } of view.denied)
    if (what !== 'metrics')
      terminal.warn(
        `Not to be seen: ${what} ${namespace === null ? 'of the whole cluster' : `in ${namespace}`}. ${message}`,
      );
}

/** Options of every command of the cluster. */
export const contextFlag = {
  kind: 'parsed',
  parse: String,
  optional: true,
  brief: 'A context of the kubeconfig of the server; its current one when left out',
  placeholder: 'NAME',
} as const;

export const podArguments = [
  { parse: String, placeholder: 'NAMESPACE', brief: 'Namespace of the pod' },
  { parse: String, placeholder: 'NAME', brief: 'Name of the pod' },
] as const;
