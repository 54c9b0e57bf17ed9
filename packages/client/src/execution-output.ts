/** A piece of what an execution printed, as `OutputPiece` of the contract. */
export interface Piece {
  readonly stream: 'stdout' | 'stderr' | 'system';
  readonly text: string;
}

/** What a piece brings that was not there before. */
export type Printed =
  | { readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  /** A line of Hangar's own. */
  | { readonly stream: 'system'; readonly text: string };

export interface OutputDecoder {
  /**
   * Pieces in their order; null where a piece brings nothing new.
   * @throws RangeError when bytes are missing before it, SyntaxError when it is no piece
   */
  next(piece: Piece): Printed | null;
  /** How many bytes of a stream have come. */
  taken(stream: 'stdout' | 'stderr'): number;
}

/**
 * Puts what an execution printed together again: each byte of a stream once, in order. Pieces of one stream may overlap, because who
 * writes them down can change in the middle; a byte that is left out is an error and never a silent hole.
 */
export function createOutputDecoder(): OutputDecoder {
  const at = { stdout: 0, stderr: 0 };
  return {
    next({ stream, text }) {
      if (stream === 'system') return { stream, text };
      const colon = text.indexOf(':');
      const from = text.slice(0, Math.max(0, colon));
      if (!/^\d{1,15}$/.test(from)) throw new SyntaxError(`a piece of ${stream} is no OFFSET:BASE64`);
      const offset = Number(from);
      const known = at[stream] - offset;
      if (known < 0) throw new RangeError(`bytes ${at[stream]} to ${offset} of ${stream} are missing`);
      const bytes = bytesOf(text.slice(colon + 1));
      if (bytes.length <= known) return null;
      at[stream] = offset + bytes.length;
      return { stream, bytes: bytes.subarray(known) };
    },
    taken: (stream) => at[stream],
  };
}

function bytesOf(encoded: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(encoded);
  } catch (cause) {
    throw new SyntaxError('a piece is no base64', { cause });
  }
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}
