import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { profileArgument } from './profile-argument.ts';

const UNAVAILABLE_EXIT_CODE = 4;

export const command = defineCommand<GlobalFlags, [string]>({
  brief: 'Prove that a profile works',
  examples: [
    ['profiles test local', 'tries each thing a job needs'],
    ['profiles test docker --json', 'for programs'],
  ],
  about: ['Exit code 4 when something does not work.'],
  json: '{"ok", "checks": [{"name", "ok", "detail", "wayOut"}]}',
  parameters: {
    flags: globalFlags,
    positional: { kind: 'tuple', parameters: [{ ...profileArgument, brief: 'Name of the profile' }] },
  },
  async run(flags, name) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const progress = terminal.progress(`Trying ${name}`);
    const result = await client.profiles.test({ name }).finally(() => progress.done());
    if (!result.ok) this.endWith(UNAVAILABLE_EXIT_CODE);
    if (flags.json) return terminal.json(result);
    for (const check of result.checks) {
      const mark = check.ok ? terminal.color.green('✓') : terminal.color.red('✗');
      terminal.out(`${mark} ${check.name}: ${check.detail}`);
      if (!check.ok && check.wayOut !== null) terminal.out(`    ${check.wayOut}`);
    }
    terminal.next(result.ok ? `hangar run --cloud --on ${name} --spec SPEC.md` : `hangar profiles show ${name}`);
  },
});
