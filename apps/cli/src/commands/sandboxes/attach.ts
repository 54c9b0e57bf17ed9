import { HangarError } from '@hangar/contract/errors';
import { isEnded } from '@hangar/contract/state-words';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';

export const command = defineCommand<GlobalFlags, [string]>({
  brief: 'Go on with an execution: all it prints, and its exit code',
  examples: [
    ['sandbox attach e_7k2m9p4x', 'from its first byte to its end'],
    ['sandbox attach e_7k2m9p4x > out.txt', 'also when it has ended'],
  ],
  about: [
    'As if hangar sandbox exec had begun it just now, without its standard input: it ends as the command ends, and Ctrl-C ends the command with all its processes. hangar sandbox show lists the ids.',
    'One with a terminal is typed into as hangar sandbox shell does, and ~. at the begin of a line leaves it; where standard input or output is no terminal, all it printed comes.',
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
    if (await attachTerminal(this, flags, id)) return;
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

/** Into its terminal, where it has one and here is one; false: what it prints is to be shown. */
async function attachTerminal(cli: Cli, flags: GlobalFlags, id: string): Promise<boolean> {
  const { terminal } = cli;
  if (flags.json || !terminal.outIsTerminal || cli.stdin.isTTY !== true) return false;
  const api = await cli.api(flags.server);
  const execution = await api.client.sandboxes.execution({ id });
  if (!execution.terminal || isEnded(execution.state)) return false;
  const [{ openRawTerminal }, { runTerminal }] = await Promise.all([
    import('../../sandboxes/shell/raw-terminal.ts'),
    import('../../sandboxes/shell/run-terminal.ts'),
  ]);
  const raw = openRawTerminal(cli, `hangar sandbox exec ${execution.sandbox} -- ls`);
  const ended = await runTerminal(cli, api, raw, execution, { isNew: false }).finally(() => raw.restore());
  if (ended === null) {
    terminal.note(`Left ${id}; it goes on.`);
    terminal.next(`hangar sandbox attach ${id}`, `hangar sandbox show ${execution.sandbox}`);
    return true;
  }
  if (ended.exit.says !== null) terminal.note(ended.exit.says);
  cli.endWith(ended.exit.code);
  return true;
}

/** @throws HangarError usage */
function parseExecutionId(text: string): string {
  if (/^e_[0-9a-z]{6,40}$/.test(text)) return text;
  throw new HangarError('usage', {
    message: `${JSON.stringify(text)} is not the id of an execution; ids look like e_7k2m9p4x.`,
    wayOut: 'See the ids: hangar sandbox show',
  });
}
