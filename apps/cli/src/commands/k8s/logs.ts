import type { PodLogLine } from '@hangar/contract';
import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { eventStream, understood } from '../../server/event-stream.ts';
import { sayBreaks } from '../../server/through-breaks.ts';
import { clean } from '../../terminal/ansi.ts';
import { wholeNumber } from '../../terminal/numbers.ts';
import { contextFlag, podArguments } from './cluster-words.ts';

interface Flags extends GlobalFlags {
  readonly container?: string | undefined;
  readonly previous: boolean;
  readonly tail?: number | undefined;
  readonly follow: boolean;
  readonly context?: string | undefined;
}

export const command = defineCommand<Flags, [string, string]>({
  brief: 'What a container prints, live or its last lines',
  examples: [
    ['k8s logs shop checkout-6f5d4c8b97-9qkzt --tail 50', 'its last lines'],
    ['k8s logs shop checkout-6f5d4c8b97-9qkzt --previous', 'of the run that ended before'],
  ],
  json: 'With --follow one JSON object a line: {"n", "at", "text"}; without, text.',
  parameters: {
    flags: {
      container: text('Which container; the first when left out', 'NAME'),
      previous: yes('Of the container before it was started again'),
      tail: {
        kind: 'parsed',
        parse: wholeNumber,
        optional: true,
        brief: 'Only the last lines; 1000 when left out',
        placeholder: 'N',
      },
      follow: yes('Go on with what is printed, until it ends'),
      context: contextFlag,
      ...globalFlags,
    },
    aliases: { f: 'follow' },
    positional: { kind: 'tuple', parameters: [...podArguments] },
  },
  async run(flags, namespace, name) {
    const { terminal } = this;
    const api = await this.api(flags.server);
    const query = new URLSearchParams();
    if (flags.container !== undefined) query.set('container', flags.container);
    if (flags.previous) query.set('previous', 'true');
    if (flags.tail !== undefined) query.set('tail', String(flags.tail));
    if (flags.context !== undefined) query.set('context', flags.context);
    const path = `/k8s/pods/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/log`;
    const colors = terminal.color.bold('') !== '';
    if (!flags.follow) {
      const answer = await api.request(`${path}?${query}`);
      const lines = (await answer.text()).replace(/\n$/, '').split('\n');
      await terminal.write(lines.map((line) => `${clean(line, colors)}\n`).join(''));
      return;
    }
    query.set('follow', 'true');
    const frames = eventStream(api, `${path}?${query}`, { signal: this.signal, ...sayBreaks(terminal) });
    for await (const { event, data } of frames) {
      if (event === 'end') break;
      if (event !== 'message') continue;
      for (const line of understood(api, Lines, data))
        await terminal.write(flags.json ? `${JSON.stringify(line)}\n` : `${clean(line.text, colors)}\n`);
    }
    terminal.next(`hangar k8s pod ${namespace} ${name}`);
  },
});

/** By hand: this command need not wait until schemas are loaded. */
const Lines = {
  parse(value: unknown): PodLogLine[] {
    if (Array.isArray(value) && value.every((line) => typeof line?.text === 'string')) return value;
    throw new TypeError('no lines');
  },
};
