import { POD_STATES } from '@hangar/contract/state-words';
import { CLUSTER_WORDS, cores, NODE_WORDS, POD_WORDS, shareWords } from '@hangar/contract/words/kubernetes';
import { plural } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { stateText } from '../../terminal/tones.ts';
import { wrap } from '../../terminal/words.ts';
import { contextFlag, warnOf } from './cluster-words.ts';

interface Flags extends GlobalFlags {
  readonly context?: string | undefined;
}

export const command = defineCommand<Flags>({
  brief: 'Whether a cluster is connected, and how it is',
  examples: [
    ['k8s', 'nodes, pods, what is taken, and what pods wait for'],
    ['k8s health --context staging', 'another cluster of the kubeconfig'],
  ],
  json: 'As GET /k8s/health answers.',
  parameters: { flags: { context: contextFlag, ...globalFlags } },
  async run(flags) {
    const { terminal } = this;
    const { color } = terminal;
    const { client } = await this.api(flags.server);
    const health = await client.kubernetes.health({
      ...(flags.context === undefined ? {} : { context: flags.context }),
    });
    if (flags.json) return terminal.json(health);
    const row = (name: string, value: string) => terminal.out(`${color.dim(name.padEnd(10))} ${value}`);
    const where = [
      health.view?.context,
      health.server,
      health.version === null ? null : `Kubernetes ${health.version}`,
    ];
    terminal.out([stateText(CLUSTER_WORDS[health.state], color), ...where.filter(Boolean)].join('  '));
    if (health.state !== 'connected') terminal.out(`${health.detail} ${health.wayOut ?? ''}`.trim());
    else if (health.view !== null) warnOf(health.view, terminal);
    const { nodes, pods, resources } = health;
    if (nodes !== null)
      row(
        'Nodes',
        `${nodes.ready} of ${nodes.total} ${NODE_WORDS.ready.word}${nodes.unschedulable > 0 ? `, ${nodes.unschedulable} ${NODE_WORDS.unschedulable.word}` : ''}`,
      );
    if (pods !== null) {
      const states = POD_STATES.filter((state) => pods.byState[state] > 0);
      row(
        'Pods',
        `${pods.total}: ${states.map((state) => `${pods.byState[state]} ${POD_WORDS[state].word}`).join(', ') || 'none'}`,
      );
    }
    if (resources !== null) {
      const measured = resources.cpu.used === null ? 'requested' : 'in use';
      row('CPU', `${shareWords(resources.cpu, cores)} cores ${measured}`);
      row('Memory', `${shareWords(resources.memory, sizeInWords)} ${measured}`);
    }
    if (!health.metrics.available && nodes !== null) terminal.note(health.metrics.detail);
    if (health.waiting.length > 0) terminal.out(color.dim('Waiting'));
    for (const { reason, count: number, example } of health.waiting) {
      const such = `${number === 1 ? '' : 'such as '}${example.namespace}/${example.name}`;
      terminal.out(wrap(`${plural(number, 'pod')} (${such}): ${reason}`, terminal.columns, '  '));
    }
    if (health.contexts.length > 1)
      row('Contexts', health.contexts.map(({ name, isCurrent }) => (isCurrent ? color.bold(name) : name)).join(' '));
    terminal.next(pods === null ? 'hangar k8s health --json' : 'hangar k8s pods');
  },
});
