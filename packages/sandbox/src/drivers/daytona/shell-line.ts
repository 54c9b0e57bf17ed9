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
 * way when the command has ended and when the connection was cut, and can lose the first line. So the line says itself where its output
 * begins and ends, in both streams: that proves that all of it has come, and to the byte. `createMarked` takes it out again.
 */
export function sessionLine(argv: readonly string[], token: string): string {
  const begins = `printf '%s\\n' '${token}<;'`;
  const ends = `printf '%s' '${token}:'"$hangar_code"';'`;
  // No end of input comes by itself, so there is none to read from.
  const run = `${quoted(argv)} </dev/null; hangar_code=$?`;
  // No `exit`: it would end the shell of the session.
  return `${begins}; ${begins} >&2; ${run}; ${ends}; ${ends} >&2; (exit "$hangar_code")`;
}
