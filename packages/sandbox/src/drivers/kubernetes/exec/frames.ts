import type { TerminalSize } from '../../../port/machine.ts';

/**
 * The protocol of exec over a WebSocket in which input has an end, of Kubernetes 1.30 and newer. Each message begins with the number of
 * its channel. Those before it can only be cut off, which a program cannot tell from its end.
 */
export const PROTOCOL = 'v5.channel.k8s.io';

export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, end: 255 } as const;

/** No piece is larger: another one gets its turn between them. */
const PIECE_BYTES = 32 * 1024;

/** "No more comes on this channel." */
export const END_OF_INPUT: Buffer = Buffer.from([CHANNEL.end, CHANNEL.stdin]);

export function* inputFrames(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES)
    yield Buffer.concat([Buffer.from([CHANNEL.stdin]), bytes.subarray(at, at + PIECE_BYTES)]);
}

export function resizeFrame({ columns, rows }: TerminalSize): Buffer {
  const within = (value: number) => Math.min(Math.max(Math.trunc(value) || 1, 1), 65_535);
  const size = JSON.stringify({ Width: within(columns), Height: within(rows) });
  return Buffer.concat([Buffer.from([CHANNEL.resize]), Buffer.from(size)]);
}
