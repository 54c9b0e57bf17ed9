import { HangarError } from '@hangar/contract/errors';
import { createParser } from 'eventsource-parser';
import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import type { Api } from '../../server/api.ts';
import { Breaks, closedEarly, sayBreaks } from '../../server/through-breaks.ts';
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

const AWAY_MS = 15 * 60_000;

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
      const answer = await api.request(`${path}?${query}`, { repeatable: true });
      const lines = (await answer.text()).replace(/\n$/, '').split('\n');
      await terminal.write(lines.map((line) => `${clean(line, colors)}\n`).join(''));
      return;
    }
    query.set('follow', 'true');
    const breaks = new Breaks({ signal: this.signal, patienceMs: AWAY_MS, quietFirst: true, ...sayBreaks(terminal) });
    const reading = { lastId: '' };
    const print = (line: Line) =>
      terminal.write(flags.json ? `${JSON.stringify(line)}\n` : `${clean(line.text, colors)}\n`);
    for (let isOver = false; !isOver; )
      isOver = await follow(api, `${path}?${query}`, { reading, print, breaks, signal: this.signal }).then(
        () => true,
        (error: unknown) => breaks.again(error).then(() => false),
      );
    terminal.next(`hangar k8s pod ${namespace} ${name}`);
  },
});

interface Line {
  readonly n: number;
  readonly at: string;
  readonly text: string;
}

/** Reads to the end of the log. Throws where the connection broke before it. */
async function follow(
  api: Api,
  path: string,
  o: {
    readonly reading: { lastId: string };
    readonly print: (line: Line) => Promise<void>;
    readonly breaks: Breaks;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { reading, print, breaks, signal } = o;
  const { lastId } = reading;
  const response = await api.request(path, {
    headers: { accept: 'text/event-stream', ...(lastId === '' ? {} : { 'last-event-id': lastId }) },
  });
  const settled = breaks.opened();
  try {
    const frames: { event: string; id: string; data: string }[] = [];
    const parser = createParser({
      onEvent: ({ event = 'message', id = '', data }) => void frames.push({ event, id, data }),
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      signal.throwIfAborted();
      parser.feed(decoder.decode(chunk, { stream: true }));
      for (const frame of frames.splice(0)) {
        if (frame.event === 'end') return;
        if (frame.event !== 'message') continue;
        const lines = linesOf(api, frame.data);
        if (lines.length > 0 && frame.id !== reading.lastId) breaks.progress();
        for (const line of lines) await print(line);
        reading.lastId = frame.id;
      }
    }
  } finally {
    settled();
    response.discard();
  }
  throw closedEarly();
}

/** @throws HangarError bad_request, which no other try would mend */
function linesOf({ server }: Api, data: string): Line[] {
  try {
    const lines: unknown = JSON.parse(data);
    if (Array.isArray(lines) && lines.every((line) => typeof line?.text === 'string')) return lines;
  } catch {
    // Said below.
  }
  throw new HangarError('bad_request', {
    message: `The log that comes from ${server} is not understood.`,
    wayOut: 'Check that the address is a Hangar server of the same version as this command line.',
  });
}
