import { HangarError } from '@hangar/contract';

/** The kernel takes no longer argument (MAX_ARG_STRLEN, with its final NUL). */
export const ARGUMENT_BYTES = 131_071;

/** Every word in single quotes: no shell expands, matches or splits what stands in them. */
export function quoted(words: readonly string[]): string {
  return words
    .map((word) => {
      if (word.includes('\0')) {
        throw new HangarError('validation_failed', { message: 'An argument of the command has a NUL in it.' });
      }
      if (Buffer.byteLength(word) > ARGUMENT_BYTES) {
        throw new HangarError('command_too_long', {
          message: `An argument of the command is longer than ${ARGUMENT_BYTES} bytes.`,
          details: { argumentBytes: ARGUMENT_BYTES },
        });
      }
      return `'${word.replaceAll("'", `'\\''`)}'`;
    })
    .join(' ');
}

/**
 * The line that a session is given. Daytona prints streams line by line, and adds a newline to what has none; its follower ends the same
 * way when the command has ended and when the connection was cut. So the line says itself when it is over, in both streams, behind the
 * last byte of each: that proves that all of it has come.
 */
export function sessionLine(argv: readonly string[], token: string): string {
  const told = `printf '%s' '${token}:'"$hangar_code"';'`;
  // No `exit`: it would end the shell of the session. No end of file comes by itself, so there is none to read from.
  return `${quoted(argv)} </dev/null; hangar_code=$?; ${told}; ${told} >&2; (exit "$hangar_code")`;
}

export interface Marked {
  /** What of this is certainly output. */
  push(text: string): string;
  /** The exit code, once the mark has come; nothing is output behind it. */
  readonly code: number | null;
}

/** Finds the mark of one stream, in pieces of any size, and takes it out. */
export function createMarked(token: string): Marked {
  let held = '';
  let code: number | null = null;
  const start = `${token}:`;
  return {
    get code() {
      return code;
    },
    push(text) {
      if (code !== null) return '';
      held += text;
      const at = held.indexOf(start);
      if (at === -1) {
        const keep = overlap(held, start);
        const out = held.slice(0, held.length - keep);
        held = held.slice(held.length - keep);
        return out;
      }
      const found = /^(\d{1,3});/.exec(held.slice(at + start.length));
      const out = held.slice(0, at);
      if (found === null) {
        held = held.slice(at);
        return out;
      }
      code = Number(found[1]);
      held = '';
      return out;
    },
  };
}

/** How much of the end of `text` may be the beginning of `mark`. */
function overlap(text: string, mark: string): number {
  for (let length = Math.min(text.length, mark.length - 1); length > 0; length -= 1) {
    if (mark.startsWith(text.slice(text.length - length))) return length;
  }
  return 0;
}
