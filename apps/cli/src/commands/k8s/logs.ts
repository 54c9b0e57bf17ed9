import { createParser } from 'eventsource-parser';
import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import type { Api } from '../../server/api.ts';
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

/** The server sends a sign of life every 15 s; longer silence means the connection is dead without saying so. */
const SILENCE_MS = 45_000;
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
    const { throughBreaks } = await import('../../server/through-breaks.ts');
    const reading = { lastId: '' };
    const print = (line: Line) =>
      terminal.write(flags.json ? `${JSON.stringify(line)}\n` : `${clean(line.text, colors)}\n`);
    for (let isOver = false; !isOver; )
      isOver = await throughBreaks({ terminal, signal: this.signal, patienceMs: AWAY_MS }, () =>
        follow(api, `${path}?${query}`, reading, print),
      );
    terminal.next(`hangar k8s pod ${namespace} ${name}`);
  },
});

interface Line {
  readonly n: number;
  readonly at: string;
  readonly text: string;
}

/** Whether the log has come to its end; false where the connection broke after some of it. Throws where it never stood. */
async function follow(
  api: Api,
  path: string,
  reading: { lastId: string },
  print: (line: Line) => Promise<void>,
): Promise<boolean> {
  const dead = new AbortController();
  const watch = setTimeout(() => dead.abort(new Error('nothing came for 45 s')), SILENCE_MS);
  let isOpen = false;
  try {
    const response = await api.request(path, {
      headers: { accept: 'text/event-stream', ...(reading.lastId === '' ? {} : { 'last-event-id': reading.lastId }) },
      signal: dead.signal,
    });
    const frames: { event: string; id: string; data: string }[] = [];
    const parser = createParser({
      onEvent: ({ event = 'message', id = '', data }) => void frames.push({ event, id, data }),
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      isOpen = true;
      watch.refresh();
      parser.feed(decoder.decode(chunk, { stream: true }));
      for (const frame of frames.splice(0)) {
        if (frame.event === 'end') return true;
        if (frame.event !== 'message') continue;
        for (const line of JSON.parse(frame.data) as Line[]) await print(line);
        reading.lastId = frame.id;
      }
    }
  } catch (error) {
    if (!isOpen) throw error;
  } finally {
    clearTimeout(watch);
    dead.abort();
  }
  if (isOpen) return false;
  throw new Error('the server closed the connection');
}
