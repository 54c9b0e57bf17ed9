import { containerWords, cores, podWords } from '@hangar/contract/words/kubernetes';
import { plural } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { relativeTime } from '@hangar/contract/words/time';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { stateText } from '../../terminal/tones.ts';
import { wrap } from '../../terminal/words.ts';
import { contextFlag, podArguments } from './cluster-words.ts';

interface Flags extends GlobalFlags {
  readonly context?: string | undefined;
}

export const command = defineCommand<Flags, [string, string]>({
  brief: 'A pod with its containers and events',
  examples: [
    ['k8s pod shop checkout-6f5d4c8b97-9qkzt', 'what it does, and what the cluster says of it'],
    ['k8s pod shop checkout-6f5d4c8b97-9qkzt --json', 'for programs'],
  ],
  json: 'As GET /k8s/pods/{namespace}/{name} answers.',
  parameters: {
    flags: { context: contextFlag, ...globalFlags },
    positional: { kind: 'tuple', parameters: [...podArguments] },
  },
  async run(flags, namespace, name) {
    const { terminal } = this;
    const { color, columns } = terminal;
    const { client } = await this.api(flags.server);
    const pod = await client.kubernetes.pod({
      namespace,
      name,
      ...(flags.context === undefined ? {} : { context: flags.context }),
    });
    if (flags.json) return terminal.json(pod);
    const row = (title: string, value: string) =>
      terminal.out(`${color.dim(title.padEnd(10))} ${wrap(value, columns, ' '.repeat(11)).trimStart()}`);
    terminal.out(`${color.bold(`${namespace}/${name}`)}  ${stateText(podWords(pod), color)}`);
    if (pod.reason !== null) row('Why', pod.reason);
    if (pod.job !== null) row('Job', `${pod.job.id}  ${pod.job.title}`);
    row('Node', pod.nodeName ?? 'none yet');
    if (pod.owner !== null) row('Of', `${pod.owner.kind} ${pod.owner.name}`);
    const amounts = ({ requested, limit, used }: typeof pod.cpu, say: (value: number) => string) =>
      [
        used === null ? '' : `${say(used)} in use`,
        requested === null ? '' : `${say(requested)} requested`,
        limit === null ? 'no limit' : `limit ${say(limit)}`,
      ]
        .filter(Boolean)
        .join(', ');
    row('CPU', amounts(pod.cpu, cores));
    row('Memory', amounts(pod.memory, sizeInWords));
    terminal.out(color.dim('Containers'));
    terminal.rows(
      pod.runs.map((run) => [
        `  ${run.name}`,
        `${containerWords(run).word}${run.exitCode === null ? '' : ` (${run.exitCode})`}`,
        plural(run.restarts, 'restart'),
        run.image,
      ]),
    );
    if (pod.eventsDenied !== null) terminal.warn(`Events are not to be seen. ${pod.eventsDenied.message}`);
    if (pod.events.length > 0) terminal.out(color.dim('Events'));
    terminal.rows(
      pod.events
        .slice(0, 20)
        .map((event) => [
          `  ${event.lastAt === null ? '' : relativeTime(event.lastAt)}`,
          event.type === 'Warning' ? color.yellow(event.reason) : event.reason,
          event.count > 1 ? `×${event.count}` : '',
          event.message.replaceAll('\n', ' '),
        ]),
    );
    if (pod.job !== null) terminal.next(`hangar status ${pod.job.id}`, `hangar k8s logs ${namespace} ${name}`);
    else terminal.next(`hangar k8s logs ${namespace} ${name} --follow`);
  },
});
