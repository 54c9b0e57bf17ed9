import { setTimeout as sleep } from 'node:timers/promises';
import type { PodState } from '@hangar/contract';
import { POD_SORTS, POD_STATES } from '@hangar/contract/state-words';
import { cores, podWords } from '@hangar/contract/words/kubernetes';
import { plural } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { relativeTime } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { defineList } from '../../list-command.ts';
import { commandLine } from '../../terminal/command-line.ts';
import { wholeNumber } from '../../terminal/numbers.ts';
import { stateText } from '../../terminal/tones.ts';
import { cut } from '../../terminal/words.ts';
import { contextFlag, warnOf } from './cluster-words.ts';

interface Flags extends GlobalFlags {
  readonly namespace?: string | undefined;
  readonly status?: readonly PodState[] | undefined;
  readonly node?: string | undefined;
  readonly search?: string | undefined;
  readonly sort?: (typeof POD_SORTS)[number] | undefined;
  readonly reverse: boolean;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  readonly context?: string | undefined;
}

/** So long for the first list of a large cluster; then what there is, said to be a part. */
const WHOLE_MS = 60_000;
const AGAIN_MS = 500;

export const command = defineList({
  brief: 'Pods, those that wait or fail first',
  examples: [
    ['k8s pods', 'the first of all, pending and failing before the rest'],
    ['k8s pods --status pending --status failing', 'only what does not run'],
    ['k8s pods --namespace train --sort memory', 'who has the most memory there'],
  ],
  json: '{"items": [pod, …], "total", "all", "namespaces", "nodeNames", "view"}, as GET /k8s/pods answers.',
  parameters: {
    flags: {
      namespace: text('Only in this namespace', 'NAME'),
      status: {
        kind: 'enum',
        values: POD_STATES,
        optional: true,
        variadic: true,
        brief: 'Only in this state',
        placeholder: 'STATE',
      },
      node: text('Only on this node', 'NAME'),
      search: text('Only with this in name, namespace, node, owner, status, reason or job', 'TEXT'),
      sort: {
        kind: 'enum',
        values: POD_SORTS,
        optional: true,
        brief: 'attention when left out: pending first, then failing',
        placeholder: 'SORT',
      },
      reverse: yes('The other way round'),
      limit: {
        kind: 'parsed',
        parse: wholeNumber,
        optional: true,
        brief: 'Pods a page, at most 500; 20 when left out',
        placeholder: 'N',
      },
      offset: { kind: 'parsed', parse: wholeNumber, optional: true, brief: 'How many to pass over', placeholder: 'N' },
      context: contextFlag,
      ...globalFlags,
    },
    aliases: { n: 'limit' },
  },
  async ask(cli: Cli, flags: Flags) {
    if (flags.limit !== undefined || flags.offset !== undefined)
      (await import('../../terminal/check-page.ts')).checkPage('k8s pods', flags);
    const { client } = await cli.api(flags.server);
    const ask = () =>
      client.kubernetes.pods({
        limit: flags.limit ?? 20,
        offset: flags.offset ?? 0,
        ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
        ...(flags.status === undefined ? {} : { status: [...flags.status] }),
        ...(flags.node === undefined ? {} : { nodeName: flags.node }),
        ...(flags.search === undefined ? {} : { search: flags.search }),
        sort: `${flags.reverse ? '-' : ''}${flags.sort ?? 'attention'}` as const,
        ...(flags.context === undefined ? {} : { context: flags.context }),
      });
    let page = await ask();
    const progress = cli.terminal.progress('Reading the cluster');
    for (
      const until = Date.now() + WHOLE_MS;
      !page.view.isWhole && page.view.live && Date.now() < until;
      page = await ask()
    ) {
      progress.update(`Reading the cluster: ${plural(page.all, 'pod')} so far`);
      await sleep(AGAIN_MS);
    }
    progress.done();
    return page;
  },
  warn({ terminal }, { view }) {
    warnOf(view, terminal);
    if (!view.isWhole) terminal.warn('The list is not whole yet.');
  },
  empty: 'No pods.',
  row: (pod, { terminal }) => [
    cut(pod.namespace, 24),
    cut(pod.name, 48),
    stateText(podWords(pod), terminal.color),
    `${pod.ready}/${pod.containers}`,
    pod.restarts === 0
      ? '0'
      : `${pod.restarts}${pod.restartedAt === null ? '' : ` (${relativeTime(pod.restartedAt)})`}`,
    pod.createdAt === null ? '' : relativeTime(pod.createdAt),
    ...(terminal.columns >= 130
      ? [pod.cpu.used === null ? '' : cores(pod.cpu.used), pod.memory.used === null ? '' : sizeInWords(pod.memory.used)]
      : []),
    [pod.jobId ?? '', pod.state === 'running' && pod.ready === pod.containers ? '' : (pod.reason ?? '')]
      .filter(Boolean)
      .join(' '),
  ],
  foot: ({ items, total }) => `${items.length} of ${plural(total, 'pod')}`,
  next({ items, total }, flags) {
    const [first] = items;
    if (first === undefined) return [];
    const pod = `hangar k8s pod ${first.namespace} ${first.name}`;
    const offset = (flags.offset ?? 0) + items.length;
    if (offset >= total) return [pod];
    const { namespace, status, node, search, sort, reverse, limit, context, server } = flags;
    const asked = { namespace, status, node, search, sort, reverse, limit, context, server };
    return [commandLine('hangar k8s pods', { ...asked, offset }), pod];
  },
});
