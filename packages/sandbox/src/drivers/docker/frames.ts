/** What the Engine puts before each piece of an output without a terminal: kind, three zeros, length. */
const HEAD_BYTES = 8;
const STDOUT = 1;
/** Of an Engine that has to say something in the middle of it. */
const SYSTEM_ERROR = 3;

export type FrameKind = 'stdout' | 'stderr';

export interface Frames {
  /** @throws Error when it is no such stream */
  push(chunk: Buffer): void;
  /** Whether nothing is missing of what has begun. */
  readonly isWhole: boolean;
}

/**
 * Takes frames apart as they come, without waiting for the whole of one: a frame may be as long as a program likes.
 * @param take gets each piece, and whether its frame ends with it
 */
export function createFrames(take: (kind: FrameKind, piece: Buffer, isLast: boolean) => void): Frames {
  const head = Buffer.alloc(HEAD_BYTES);
  let headLength = 0;
  let left = 0;
  let kind: FrameKind = 'stdout';

  return {
    push(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (headLength < HEAD_BYTES) {
          const copied = chunk.copy(head, headLength, at, at + HEAD_BYTES - headLength);
          headLength += copied;
          at += copied;
          if (headLength < HEAD_BYTES) return;
          if ((head[0] ?? 255) > SYSTEM_ERROR || head[1] !== 0 || head[2] !== 0 || head[3] !== 0)
            throw new Error('its frames are broken');
          kind = head[0] === STDOUT ? 'stdout' : 'stderr';
          left = head.readUInt32BE(4);
          if (left === 0) headLength = 0;
          continue;
        }
        const piece = chunk.subarray(at, at + left);
        at += piece.length;
        left -= piece.length;
        if (left === 0) headLength = 0;
        take(kind, piece, left === 0);
      }
    },
    get isWhole() {
      return headLength === 0;
    },
  };
}
