import { HangarError } from '@hangar/contract';

/** Linux takes no single argument of 128 KiB or more, and E2B hands the whole line to bash as one. */
const LONGEST_LINE = 131_071;

/** One word for bash, whatever is in it: nothing inside of single quotes means anything but the quote itself. */
export const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * The program in place of the shell, so that its pid is the one that E2B knows. What the profile of the shell printed before is told
 * apart by `mark`, which comes first on each stream.
 * @throws HangarError command_too_long, validation_failed
 */
export function shellLine(argv: readonly string[], mark: string, o: { terminal: boolean }): string {
  const strange = argv.findIndex((word) => word.includes('\0'));
  if (strange >= 0) {
    throw new HangarError('validation_failed', {
      message: `Argument ${strange} of the command has a NUL in it, which no program can be given.`,
    });
  }
  const say = `printf %s ${quoted(mark)}`;
  const run = `exec -- ${argv.map(quoted).join(' ')}`;
  // An interactive shell stays when it could not become the program.
  const line = o.terminal ? `unset PROMPT_COMMAND; ${say}; ${run}; exit` : `${say}; ${say} >&2; ${run}`;
  const bytes = Buffer.byteLength(line) + (o.terminal ? 'PROMPT_COMMAND='.length : 0);
  if (bytes > LONGEST_LINE) {
    throw new HangarError('command_too_long', {
      message: `The command has ${bytes} bytes when it is quoted for E2B, which takes ${LONGEST_LINE}.`,
      details: { bytes, most: LONGEST_LINE },
    });
  }
  return line;
}
