import { HangarError } from '@hangar/contract/errors';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';

export const command = defineCommand<GlobalFlags, [string]>({
  brief: 'Go on with an execution: all it prints, and its exit code',
  examples: [
    ['sandbox attach e_7k2m9p4x', 'from its first byte to its end'],
    ['sandbox attach e_7k2m9p4x > out.txt', 'also when it has ended'],
  ],
  about: [
    'As if hangar sandbox exec had begun it just now, without its standard input: it ends as the command ends, and Ctrl-C ends the command with all its processes. hangar sandbox show lists the ids.',
  ],
  json: 'The execution as it ended; what the command printed all goes to stderr.',
  parameters: {
    flags: globalFlags,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: parseExecutionId, placeholder: 'EXECUTION', brief: 'The id of the execution' }],
    },
  },
  async run(flags, id) {
    const { runExecution } = await import('../../sandboxes/exec/run-execution.ts');
    const { execution, exit } = await runExecution(this, {
      begin: (api) => api.client.sandboxes.execution({ id }),
      ...{ server: flags.server, input: false, aside: flags.json, seeIt: `hangar sandbox attach ${id}` },
    });
    if (exit.says !== null) this.terminal.note(exit.says);
    if (flags.json) this.terminal.json(execution);
    this.endWith(exit.code);
  },
});

/** @throws HangarError usage */
function parseExecutionId(text: string): string {
  if (/^e_[0-9a-z]{6,40}$/.test(text)) return text;
  throw new HangarError('usage', {
    message: `${JSON.stringify(text)} is not the id of an execution; ids look like e_7k2m9p4x.`,
    wayOut: 'See the ids: hangar sandbox show',
  });
}
