import { readStream } from '@hangar/client/event-stream';
import type { StreamEvent } from '@hangar/client/frame';
import { HangarError } from '@hangar/contract/errors';
import type { Api } from './api.ts';
import { AWAY_MS, type BreaksOptions, breaks } from './through-breaks.ts';

export interface EventStreamOptions extends Pick<BreaksOptions, 'signal' | 'onLost' | 'onBack'> {
  /** Id of the last frame that is here. */
  readonly after?: string | null;
}

/** Reads a stream of the server, frame by frame, through breaks of the connection. Whoever has found its end stops reading. */
export async function* eventStream(
  api: Api,
  path: string,
  { after = null, ...said }: EventStreamOptions,
): AsyncGenerator<StreamEvent, void> {
  const backOff = breaks({ ...said, patienceMs: AWAY_MS, quietFirst: true });
  const frames = readStream({
    ...{ signal: said.signal, after, backOff },
    async connect(lastEventId) {
      const answer = await api.request(path, {
        headers: { accept: 'text/event-stream', ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) },
      });
      return { body: unended(answer.body), close: () => answer.discard() };
    },
  });
  for await (const some of frames)
    for (const frame of some) {
      // An end has no id, and comes once.
      if (frame.event === 'end') backOff.progress();
      yield frame;
    }
}

async function* unended(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* body;
  throw closedEarly();
}

/** A stream that ended before what it carries had come to its end. */
export const closedEarly = (): HangarError =>
  new HangarError('server_unreachable', { details: { reason: 'the server closed the connection' } });

/** @throws HangarError bad_request, which no other try would mend */
export function understood<T>({ server }: Api, schema: { parse(value: unknown): T }, data: string): T {
  try {
    return schema.parse(JSON.parse(data));
  } catch (cause) {
    throw new HangarError('bad_request', {
      message: `The log that comes from ${server} is not understood.`,
      wayOut: 'Check that the address is a Hangar server of the same version as this command line.',
      cause,
    });
  }
}
