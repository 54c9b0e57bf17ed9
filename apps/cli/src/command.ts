import { type BaseArgs, buildCommand, type Command, type TypedCommandParameters } from '@stricli/core';
import type { Cli } from './cli.ts';

/** What every command takes. */
export interface GlobalFlags {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly noInput: boolean;
  readonly server?: string | undefined;
}

export const globalFlags = {
  json: { kind: 'boolean', brief: 'Print JSON on stdout, errors too', default: false, withNegated: false },
  quiet: { kind: 'boolean', brief: 'No hints, no progress', default: false, withNegated: false },
  noInput: { kind: 'boolean', brief: 'Never ask; fail instead', default: false, withNegated: false },
  server: {
    kind: 'parsed',
    parse: String,
    optional: true,
    brief: 'The server to talk to; else HANGAR_SERVER, else the last sign-in',
    placeholder: 'URL',
  },
} as const;

export const GLOBAL_FLAG_NAMES: ReadonlySet<string> = new Set(Object.keys(globalFlags));

/** A flag that is there or not. */
export const yes = (brief: string) => ({ kind: 'boolean', brief, default: false, withNegated: false }) as const;

/** A flag with a value that may be left out. */
export const text = (brief: string, placeholder: string) =>
  ({ kind: 'parsed', parse: String, optional: true, brief, placeholder }) as const;

/** A flag with a value that may be given many times, or left out. */
export const texts = (brief: string, placeholder: string) => ({ ...text(brief, placeholder), variadic: true }) as const;

interface CommandText {
  /** Command lines that work when pasted, without the leading `hangar`; each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** What is worth knowing beyond the options. Paragraphs; wrapped when shown. */
  readonly about?: readonly string[];
  /** What --json prints. */
  readonly json: string;
}

export type AnyFlags<FLAGS> = GlobalFlags & Readonly<Partial<Record<keyof FLAGS, unknown>>>;

export interface CommandData<FLAGS extends AnyFlags<FLAGS>, ARGS extends BaseArgs> extends CommandText {
  readonly brief: string;
  readonly parameters: NoInfer<TypedCommandParameters<FLAGS, ARGS, Cli>>;
  readonly run: (this: Cli, flags: FLAGS, ...args: ARGS) => Promise<void>;
}

/** A command ready to run, with the text its help page shows. */
export interface LoadedCommand extends CommandText {
  readonly brief: string;
  readonly command: Command<Cli>;
}

export function defineCommand<FLAGS extends AnyFlags<FLAGS> = GlobalFlags, ARGS extends BaseArgs = []>(
  data: CommandData<FLAGS, ARGS>,
): LoadedCommand {
  const { brief, parameters, run, examples, about, json } = data;
  const command = buildCommand<FLAGS, ARGS, Cli>({ docs: { brief }, parameters, func: run });
  return { brief, command, examples, json, ...(about === undefined ? {} : { about }) };
}
