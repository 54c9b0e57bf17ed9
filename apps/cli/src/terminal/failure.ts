import { HangarError } from '@hangar/contract/errors';
import { fileTrouble } from './file-trouble.ts';
import type { Palette } from './terminal.ts';

/** Ctrl-C: the shell's own number for it, so that a script around the command stops too. */
export const INTERRUPTED_EXIT_CODE = 130;

/** Any thrown thing as an error of the table; what nobody threw on purpose is a bug of the command line. */
export function asHangarError(thrown: unknown): HangarError {
  if (thrown instanceof HangarError) return thrown;
  const trouble = fileTrouble(thrown);
  if (trouble !== null) return trouble;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new HangarError('internal', {
    message: `Something went wrong in the command line: ${message}`,
    wayOut: 'Run it again with HANGAR_DEBUG=1 and report what it prints.',
    cause: thrown,
  });
}

export const exitCodeOf = (error: HangarError): number =>
  error.code === 'interrupted' ? INTERRUPTED_EXIT_CODE : error.exitCode;

/** What --json prints instead of a result. */
export function errorAsJson(error: HangarError): { error: Record<string, unknown> } {
  return {
    error: {
      code: error.code,
      kind: error.kind,
      message: error.message,
      wayOut: error.wayOut,
      exitCode: exitCodeOf(error),
      ...(error.details === undefined ? {} : { details: error.details }),
    },
  };
}

/** What happened, why, what to do. */
export function errorForPeople(error: HangarError, color: Palette): string {
  if (error.code === 'interrupted') return `${error.message} ${error.wayOut}`;
  const lines = [`${color.red('Error:')} ${error.message} ${color.dim(`[${error.code}]`)}`];
  const { details } = error;
  if (typeof details?.reason === 'string') lines.push(`  ${details?.reason}`);
  for (const file of list(details?.files)) lines.push(`  ${file}`);
  for (const issue of list(details?.issues)) lines.push(`  ${issue}`);
  if (typeof details?.reference === 'string') lines.push(`  Reference: ${details?.reference}`);
  lines.push(`${color.dim('What to do:')} ${error.wayOut}`);
  return lines.join('\n');
}

const SHOWN = 20;

function list(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  const lines = value.slice(0, SHOWN).map((entry: unknown) => {
    if (typeof entry === 'string') return entry;
    if (typeof entry !== 'object' || entry === null) return JSON.stringify(entry);
    const { field, path, message } = entry as Record<string, unknown>;
    const name = field ?? (Array.isArray(path) ? path.join('.') : path);
    return name === undefined ? String(message) : `${String(name)}: ${String(message)}`;
  });
  return value.length > SHOWN ? [...lines, `and ${value.length - SHOWN} more`] : lines;
}
