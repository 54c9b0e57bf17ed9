import { createOutputDecoder, type OutputDecoder, type Piece, type Printed } from '@hangar/client/execution-output';
import { HangarError } from '@hangar/contract/errors';
import type { Api } from '../../server/api.ts';
import { closedEarly, eventStream, understood } from '../../server/event-stream.ts';
import type { BreaksOptions } from '../../server/through-breaks.ts';

export interface FollowOptions extends Pick<BreaksOptions, 'signal' | 'onLost' | 'onBack'> {
  /** The stream is read no faster than this keeps up. */
  readonly print: (printed: Printed) => Promise<void>;
}

/**
 * Follows what an execution prints from its beginning to its end, byte by byte, each once and in order, through breaks of the connection
 * and restarts of the server. Answers how much came.
 * @throws HangarError server_unreachable after 15 minutes without the server, bad_request for what is not understood or leaves bytes out
 */
export async function followExecution(
  api: Api,
  id: string,
  { print, ...said }: FollowOptions,
): Promise<Pick<OutputDecoder, 'taken'>> {
  const decoder = createOutputDecoder();
  let last = 0;
  for await (const { event, data } of eventStream(api, `/drivers/status?execution=${id}`, said)) {
    if (event === 'end') return decoder;
    if (event !== 'message') continue;
    for (const piece of understood(api, Pieces, data)) {
      if (piece.n <= last) continue;
      last = piece.n;
      const printed = decoded(api, decoder, piece);
      if (printed !== null) await print(printed);
    }
  }
  throw closedEarly();
}

function decoded({ server }: Api, decoder: OutputDecoder, piece: Piece): Printed | null {
  try {
    return decoder.next(piece);
  } catch (cause) {
    throw new HangarError('bad_request', {
      message: `What ${server} says that the command printed is not whole.`,
      wayOut: 'Run it again; check that the server has the same version as this command line.',
      details: { reason: cause instanceof Error ? cause.message : String(cause) },
      cause,
    });
  }
}

const STREAMS: readonly unknown[] = ['stdout', 'stderr', 'system'];

/** By hand: this command need not wait until schemas are loaded. */
const Pieces = {
  parse(value: unknown): (Piece & { readonly n: number })[] {
    const isPiece = ({ n, stream, text }: Record<string, unknown>) =>
      Number.isSafeInteger(n) && STREAMS.includes(stream) && typeof text === 'string';
    if (Array.isArray(value) && value.every((piece) => typeof piece === 'object' && piece !== null && isPiece(piece)))
      return value;
    throw new TypeError('no pieces of an output');
  },
};
