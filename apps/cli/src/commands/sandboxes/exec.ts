import { HangarError } from '@hangar/contract/errors';
import { formatSeconds } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags, text, texts, yes } from '../../command.ts';
import type { Order } from '../../sandboxes/exec/run-execution.ts';
import { parseSandboxId, proposeSandboxes } from '../../sandboxes/sandbox-id.ts';
import { seconds } from '../../terminal/numbers.ts';

interface Flags extends GlobalFlags {
  readonly shell?: string | undefined;
  readonly cwd?: string | undefined;
  readonly env?: readonly string[] | undefined;
  readonly envFile?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly timeout?: number | undefined;
  readonly interactive: boolean;
  readonly detach: boolean;
}

export const command = defineCommand<Flags, string[]>({
  brief: 'Execute a command in a sandbox, as ssh does',
  examples: [
    ['sandbox exec s_7k2m9p4x -- ls -la', 'what it prints comes as it is printed'],
    ['sandbox exec s_7k2m9p4x -- tar -x < app.tar', 'standard input goes along'],
    ["sandbox exec s_7k2m9p4x --shell 'make | tee log' --timeout 10m", 'a line for sh'],
  ],
  about: [
    'Behind -- stands the program with its arguments, as they are: no shell takes them apart. Its standard output comes on stdout and its standard error on stderr, byte by byte.',
    'What is piped in is sent to it, and so is its end; where a script has an input of its own, say < /dev/null. From a terminal nothing is read unless -i is given.',
    'The exit code is that of the command: 128 and more for a signal, 124 when --timeout was over, 130 when it was cancelled. Where the command could not be run to its end, stderr says why and the code is one of hangar help exit-codes.',
    'Ctrl-C ends the command with all its processes and waits until they are gone; Ctrl-C again stops the waiting. A connection that breaks is mended by itself: no byte is lost and none comes twice.',
  ],
  json: 'The execution as it ended: {"id", "state", "exitCode", "signal", "output", …}; what the command prints all goes to stderr. With --detach the execution as it was accepted.',
  parameters: {
    flags: {
      shell: text('A whole line for sh, in place of a program', 'LINE'),
      cwd: text('Folder to run it in; that of the sandbox when left out', 'PATH'),
      env: texts('Variable for it; NAME alone takes the value from here', 'NAME[=VALUE]'),
      envFile: texts('File of such variables, as .env; --env wins', 'FILE'),
      user: text('Account to run it as, where the driver can', 'NAME'),
      timeout: {
        kind: 'parsed',
        parse: seconds,
        optional: true,
        brief: 'It is ended after so long, like 90s or 10m',
        placeholder: 'TIME',
      },
      interactive: yes('Read standard input although it is a terminal'),
      detach: yes('Print its id and do not wait for it; see hangar sandbox attach'),
      ...globalFlags,
    },
    aliases: { e: 'env', i: 'interactive', d: 'detach' },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: {
        parse: String,
        placeholder: 'ID -- COMMAND',
        brief: 'The sandbox, then the program with its arguments',
        proposeCompletions: proposeSandboxes,
      },
    },
  },
  async run(flags, given, ...words) {
    const sandbox = parseSandboxId(given ?? '');
    const order = await orderOf(this, flags, sandbox, words);
    const { beginExecution, runExecution } = await import('../../sandboxes/exec/run-execution.ts');
    const { terminal } = this;
    if (flags.detach) {
      const execution = await beginExecution(this, await this.api(flags.server), order);
      if (flags.json) return terminal.json(execution);
      terminal.out(execution.id);
      terminal.next(`hangar sandbox attach ${execution.id}`, `hangar sandbox show ${sandbox}`);
      return;
    }
    const { execution, exit } = await runExecution(this, {
      begin: (api) => beginExecution(this, api, order),
      ...{ server: flags.server, input: order.stdin === true, aside: flags.json },
      seeIt: `hangar sandbox show ${sandbox}`,
    });
    if (exit.says !== null) terminal.note(exit.says);
    if (flags.json) terminal.json(execution);
    this.endWith(exit.code);
  },
});

/** @throws HangarError usage, env_invalid, before anything is sent */
async function orderOf(cli: Cli, flags: Flags, sandbox: string, words: readonly string[]): Promise<Order> {
  const { shell, cwd, user, timeout, detach, interactive } = flags;
  if (shell === undefined ? words.length === 0 : words.length > 0)
    throw new HangarError('usage', {
      message: shell === undefined ? 'There is nothing to execute.' : '--shell takes the place of a command.',
      wayOut: `Name a program: hangar sandbox exec ${sandbox} -- ls, or a line: --shell 'ls | wc -l'`,
    });
  if ([shell, cwd, user, timeout].some((value) => value !== undefined)) {
    const [{ NewExecution }, { checkOptions }] = await Promise.all([
      import('@hangar/contract'),
      import('../../terminal/check-options.ts'),
    ]);
    const { shape } = NewExecution;
    checkOptions('sandbox exec', [
      { flag: '--shell', value: shell, schema: shape.command.options[1].shape.shell },
      { flag: '--cwd', value: cwd, schema: shape.cwd },
      { flag: '--user', value: user, schema: shape.user },
      { flag: '--timeout', value: timeout, schema: shape.timeoutSeconds, shown: formatSeconds },
    ]);
  }
  const env =
    flags.env === undefined && flags.envFile === undefined
      ? {}
      : await (await import('../../jobs/send/job-env.ts')).readJobEnv(cli, flags);
  return {
    sandbox,
    command: shell === undefined ? [...words] : { shell },
    env,
    stdin: !detach && (interactive || cli.stdin.isTTY !== true),
    ...(cwd === undefined ? {} : { cwd }),
    ...(user === undefined ? {} : { user }),
    ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
  };
}
