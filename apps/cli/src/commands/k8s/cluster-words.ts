import type { ClusterView } from '@hangar/contract';
import { relativeTime } from '@hangar/contract/words/time';
import type { Terminal } from '../../terminal/terminal.ts';

/** What keeps an answer from being the whole truth, on stderr. */
export function warnOf(view: ClusterView, terminal: Terminal): void {
  if (view.isSample) terminal.warn('Sample data: this server runs in demo mode.');
  if (view.trouble !== null)
    terminal.warn(`As of ${relativeTime(view.asOf)}. ${view.trouble.message} ${view.trouble.wayOut}`);
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
