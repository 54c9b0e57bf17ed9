import { cores, nodeWords, shareWords } from '@hangar/contract/words/kubernetes';
import { sizeInWords } from '@hangar/contract/words/size';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { stateText } from '../../terminal/tones.ts';
import { table } from '../../terminal/words.ts';
import { contextFlag, warnOf } from './cluster-words.ts';

interface Flags extends GlobalFlags {
  readonly context?: string | undefined;
}

export const command = defineCommand<Flags>({
  brief: 'Nodes with what they have and what is taken',
  examples: [
    ['k8s nodes', 'those that need somebody first'],
    ['k8s nodes --json', 'with conditions, taints and devices, for programs'],
  ],
  json: '{"items": [node, …], "view"}, as GET /k8s/nodes answers.',
  parameters: { flags: { context: contextFlag, ...globalFlags } },
  async run(flags) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const { items, view } = await client.kubernetes.nodes({
      ...(flags.context === undefined ? {} : { context: flags.context }),
    });
    if (flags.json) return terminal.json({ items, view });
    warnOf(view, terminal);
    if (items.length === 0) terminal.note('No nodes.');
    for (const line of table(
      items.map((node) => [
        node.name,
        stateText(nodeWords(node), terminal.color),
        `cpu ${shareWords(node.cpu, cores)}`,
        `memory ${shareWords(node.memory, sizeInWords)}`,
        `pods ${shareWords(node.pods, String)}`,
        [
          ...node.devices.map((device) => `${device.name} ${shareWords(device, String)}`),
          ...(node.reason === null ? [] : [node.reason]),
        ].join('; '),
      ]),
      terminal.columns,
    ))
      terminal.out(line);
    const [first] = items;
    if (first !== undefined) terminal.next(`hangar k8s pods --node ${first.name}`);
  },
});
