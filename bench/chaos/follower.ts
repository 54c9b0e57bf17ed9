import { setTimeout as sleep } from 'node:timers/promises';
import type { LogEnd, LogLine } from '@hangar/contract';
import type { Client } from './client.ts';

/** What somebody saw who followed a log from its first line to its end, however often the connection was lost. */
export interface Following {
  /** Lines that did not follow the one before. */
  readonly gaps: readonly string[];
  readonly reconnects: number;
  /** Null: it was given up before the end came. */
  readonly end: LogEnd | null;
}

const RETRY_MS = 300;

/**
 * Follows over Server-Sent Events (WHATWG HTML §9.2) with Last-Event-ID, as a browser does.
 * @param o.take is given each line as it is seen: one that came twice comes twice
 */
export async function follow(
  client: Client,
  path: string,
  o: { signal: AbortSignal; take: (line: LogLine) => void },
): Promise<Following> {
  const gaps: string[] = [];
  let lastEventId = '';
  let last = 0;
  let reconnects = -1;
  let end: LogEnd | null = null;

  function take(event: string): void {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(event)?.[1];
    const data = field('data');
    if (data === undefined) return;
    if (field('event') === 'end') {
      end = JSON.parse(data) as LogEnd;
      return;
    }
    for (const line of JSON.parse(data) as LogLine[]) {
      if (line.n !== last + 1) gaps.push(`${line.n} after ${last}`);
      last = line.n;
      o.take(line);
    }
    lastEventId = field('id') ?? lastEventId;
  }

  async function connect(): Promise<void> {
    reconnects += 1;
    const answer = await fetch(`${client.url}/api${path}`, {
      headers: {
        ...client.headers,
        accept: 'text/event-stream',
        ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }),
      },
      signal: o.signal,
    });
    if (!answer.ok) {
      await answer.body?.cancel();
      if (answer.status !== 503) client.wrong.push(`follow ${path}: ${answer.status}`);
      return;
    }
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) take(event);
      if (end) return;
    }
  }

  while (!end && !o.signal.aborted) {
    await connect().catch(() => undefined);
    if (!end) await sleep(RETRY_MS, undefined, { signal: o.signal }).catch(() => undefined);
  }
  return { gaps, reconnects, end };
}
