import type { BaseArgs } from '@stricli/core';
import type { Cli } from './cli.ts';
import { type AnyFlags, type CommandData, defineCommand, type GlobalFlags, globalFlags } from './command.ts';

interface ListData<
  FLAGS extends AnyFlags<FLAGS>,
  ARGS extends BaseArgs,
  ANSWER extends { readonly items: readonly unknown[] },
> extends Omit<CommandData<FLAGS, ARGS>, 'run' | 'parameters'> {
  /** The global flags when left out. */
  readonly parameters?: CommandData<FLAGS, ARGS>['parameters'];
  readonly ask: (cli: Cli, flags: FLAGS, ...args: ARGS) => Promise<ANSWER>;
  /** What --json prints; the answer when left out. */
  readonly print?: (answer: ANSWER) => unknown;
  /** What must be known before the list is read. */
  readonly warn?: (cli: Cli, answer: ANSWER) => void;
  /** Said where there is nothing. */
  readonly empty?: string | ((answer: ANSWER) => string);
  readonly row: (item: ANSWER['items'][number], cli: Cli, flags: FLAGS) => readonly string[];
  /** How much of all this is. */
  readonly foot?: (answer: ANSWER) => string;
  /** What to type next, the most likely first. */
  readonly next: (answer: ANSWER, flags: FLAGS) => readonly string[];
}

/** A command that lists things: as JSON, or as a table with a line for each. */
export function defineList<
  FLAGS extends AnyFlags<FLAGS> = GlobalFlags,
  ARGS extends BaseArgs = [],
  ANSWER extends { readonly items: readonly unknown[] } = never,
>(list: ListData<FLAGS, ARGS, ANSWER>) {
  const { ask, print, warn, empty, row, foot, next, parameters, ...text } = list;
  return defineCommand<FLAGS, ARGS>({
    ...text,
    // Who leaves them out has no flags of its own.
    parameters: parameters ?? ({ flags: globalFlags } as never),
    async run(flags, ...args) {
      const { terminal } = this;
      const answer = await ask(this, flags, ...args);
      if (flags.json) return terminal.json(print === undefined ? answer : print(answer));
      warn?.(this, answer);
      if (answer.items.length === 0 && empty !== undefined)
        terminal.note(typeof empty === 'string' ? empty : empty(answer));
      terminal.rows(answer.items.map((item) => row(item, this, flags)));
      if (foot !== undefined) terminal.note(foot(answer));
      const commands = next(answer, flags);
      if (commands.length > 0) terminal.next(...commands);
    },
  });
}
