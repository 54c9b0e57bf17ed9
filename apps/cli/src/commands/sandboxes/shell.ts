import { HangarError } from '@hangar/contract/errors';
import { OWN_SHELL } from '@hangar/contract/terminals';
import { defineCommand, type GlobalFlags, globalFlags, text, texts } from '../../command.ts';
import { parseSandboxId, proposeSandboxes } from '../../sandboxes/sandbox-id.ts';

interface Flags extends GlobalFlags {
  readonly cwd?: string | undefined;
  readonly env?: readonly string[] | undefined;
  readonly envFile?: readonly string[] | undefined;
  readonly user?: string | undefined;
}

export const command = defineCommand<Flags, string[]>({
  brief: 'A shell in a sandbox, in this terminal',
  examples: [
    ['sandbox shell s_7k2m9p4x', 'the shell of its account'],
    ['sandbox shell s_7k2m9p4x -- htop', 'any program that wants a terminal'],
  ],
  about: [
    'Without a command it is the shell that the account has there, else bash, else sh; one that reads the profiles of a sign-in is -- bash -l. The exit code is that of the shell.',
    'A connection that breaks is mended by itself, with the same shell: no byte is lost and none comes twice, also when the server is restarted.',
    'At the begin of a line ~. leaves the shell, which goes on (hangar sandbox attach EXECUTION comes back to it), ~? says so, and ~~ types a tilde.',
    'Where standard input or output is no terminal, hangar sandbox exec is the command.',
  ],
  json: 'The execution as it ended, behind what was shown.',
  parameters: {
    flags: {
      cwd: text('Folder to begin in; that of the sandbox when left out', 'PATH'),
      env: texts('Variable for it; NAME alone takes the value from here', 'NAME[=VALUE]'),
      envFile: texts('File of such variables, as .env; --env wins', 'FILE'),
      user: text('Account to run it as, where the driver can', 'NAME'),
      ...globalFlags,
    },
    aliases: { e: 'env' },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: {
        parse: String,
        placeholder: 'ID [-- COMMAND]',
        brief: 'The sandbox, then a program with its arguments',
        proposeCompletions: proposeSandboxes,
      },
    },
  },
  async run(flags, given, ...words) {
    const sandbox = parseSandboxId(given ?? '');
    const { cwd, user, server } = flags;
    const [{ beginExecution }, { openRawTerminal }, { runTerminal }] = await Promise.all([
      import('../../sandboxes/exec/run-execution.ts'),
      import('../../sandboxes/shell/raw-terminal.ts'),
      import('../../sandboxes/shell/run-terminal.ts'),
    ]);
    const isPlain = flags.env === undefined && flags.envFile === undefined;
    const env = isPlain ? {} : await (await import('../../jobs/send/job-env.ts')).readJobEnv(this, flags);
    const { TERM } = this.settings.env;
    const raw = openRawTerminal(this, `hangar sandbox exec ${sandbox} -- ${words.join(' ') || 'ls'}`);
    try {
      const api = await this.api(server);
      const execution = await beginExecution(this, api, {
        ...{ sandbox, command: words.length > 0 ? words : OWN_SHELL, terminal: raw.size() },
        env: { ...(TERM === undefined ? {} : { TERM }), ...env },
        ...(cwd === undefined ? {} : { cwd }),
        ...(user === undefined ? {} : { user }),
      });
      const ended = await runTerminal(this, api, raw, execution, { isNew: true });
      raw.restore();
      if (ended === null) {
        this.terminal.note(`Left ${execution.id}; it goes on.`);
        this.terminal.next(`hangar sandbox attach ${execution.id}`, `hangar sandbox show ${sandbox}`);
        return;
      }
      if (ended.exit.says !== null) this.terminal.note(ended.exit.says);
      if (flags.json) this.terminal.json(ended.execution);
      this.endWith(ended.exit.code);
    } catch (error) {
      raw.restore();
      if (!this.signal.aborted) throw error;
      throw new HangarError('interrupted', {
        message: 'Stopped looking; the shell goes on.',
        wayOut: `See: hangar sandbox show ${sandbox}`,
      });
    }
  },
});
