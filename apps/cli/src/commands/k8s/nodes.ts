import { cores, nodeWords, shareWords } from '@hangar/contract/words/kubernetes';
import { sizeInWords } from '@hangar/contract/words/size';
import type { Cli } from '../../cli.ts';
import { type GlobalFlags, globalFlags } from '../../command.ts';
import { defineList } from '../../list-command.ts';
import { stateText } from '../../terminal/tones.ts';
import { contextFlag, warnOf } from './cluster-words.ts';

interface Flags extends GlobalFlags {
  readonly context?: string | undefined;
}

export const command = defineList({
  brief: 'Nodes with what they have and what is taken',
  examples: [
    ['k8s nodes', 'those that need somebody first'],
    ['k8s nodes --json', 'with conditions, taints and devices, for programs'],
  ],
  json: '{"items": [node, …], "view"}, as GET /k8s/nodes answers.',
  parameters: { flags: { context: contextFlag, ...globalFlags } },
  ask: async (cli: Cli, { server, context }: Flags) =>
    (await cli.api(server)).client.kubernetes.nodes(context === undefined ? {} : { context }),
  warn: ({ terminal }, { view }) => warnOf(view, terminal),
  empty: 'No nodes.',
  row: (node, { terminal }) => [
    node.name,
    stateText(nodeWords(node), terminal.color),
    `cpu ${shareWords(node.cpu, cores)}`,
    `memory ${shareWords(node.memory, sizeInWords)}`,
    `pods ${shareWords(node.pods, String)}`,
    [
      ...node.devices.map((device) => `${device.name} ${shareWords(device, String)}`),
      ...(node.reason === null ? [] : [node.reason]),
    ].join('; '),
  ],
  next: ({ items: [first] }) => (first === undefined ? [] : [`hangar k8s pods --node ${first.name}`]),
});
