import { addAbortSignal, PassThrough } from 'node:stream';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';
import type { Api } from '../../server/api.ts';
import { isPassing } from '../../server/http.ts';
import { breaks } from '../../server/through-breaks.ts';

/** Of one request. No more than twice as much is read ahead. */
const PART_BYTES = 256 * 1024;
/** The server may wait a minute until the execution has begun. */
const ANSWER_MS = 120_000;
/** The way from the server to the machine broke, or is not there yet: what was sent is sent again, which changes nothing. */
const ON_THE_WAY: ReadonlySet<string> = new Set(['connection_lost', 'driver_unavailable', 'driver_busy']);

/**
 * Sends what is read to the standard input of an execution, in parts that say where they begin, and its end. A part whose answer got
 * lost is sent again for as long as the execution is followed: whoever does that aborts the signal, and then this just ends.
 * @throws HangarError what the server refuses; the error of what is read
 */
export async function sendInput(api: Api, id: string, stdin: Cli['stdin'], signal: AbortSignal): Promise<void> {
  const parts = addAbortSignal(signal, new PassThrough({ highWaterMark: PART_BYTES }));
  stdin.on('error', (error) => parts.destroy(error));
  const backOff = breaks({
    ...{ signal, patienceMs: Number.POSITIVE_INFINITY, onLost: () => undefined, onBack: () => undefined },
    isPassing: (error) => isPassing(error) || (error instanceof HangarError && ON_THE_WAY.has(error.code)),
  });
  let at = 0;
  const send = async (part: Uint8Array, isEnd: boolean): Promise<void> => {
    const { bytes } = await backOff.through(() => post(api, id, { at, part, isEnd, signal }));
    at += part.length;
    if (!(bytes >= at))
      throw new HangarError('bad_request', {
        message: `${api.server} has ${bytes} bytes of ${at} that were sent to the command.`,
        wayOut: 'Run it again; check that the server has the same version as this command line.',
      });
  };
  try {
    // All that has come while the part before was on its way comes at once.
    for await (const read of stdin.pipe(parts) as AsyncIterable<Buffer>)
      for (let from = 0; from < read.length; from += PART_BYTES)
        await send(read.subarray(from, from + PART_BYTES), false);
    await send(new Uint8Array(), true);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stdin.unpipe(parts);
    stdin.pause();
  }
}

async function post(
  api: Api,
  id: string,
  { at, part, isEnd, signal }: { at: number; part: Uint8Array; isEnd: boolean; signal: AbortSignal },
): Promise<{ bytes: number }> {
  const answer = await api.request(`/drivers/executions/${id}/input?at=${at}${isEnd ? '&end=true' : ''}`, {
    method: 'POST',
    headers: part.length === 0 ? {} : { 'content-type': 'application/octet-stream' },
    body: () => part,
    timeoutMs: ANSWER_MS,
    signal,
  });
  const said = (await answer.json().catch(() => null)) as { bytes?: unknown } | null;
  return { bytes: Number(said?.bytes) };
}
