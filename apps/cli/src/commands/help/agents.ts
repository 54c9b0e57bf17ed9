import { AGENTS } from '@hangar/contract';
import { defineCommand, globalFlags } from '../../command.ts';
import { wrap } from '../../terminal/words.ts';

const REACHES = {
  blocks: 'The fenced sh blocks of the spec are run.',
  stdin: 'The spec comes on standard input.',
  argument: 'The spec is an argument.',
  file: 'The spec is in a file.',
} as const;

export const command = defineCommand({
  brief: 'Agents, and how a spec reaches them',
  examples: [
    ['run --cloud --agent claude --env ANTHROPIC_API_KEY --spec fix.md', 'a preset'],
    ['run --cloud --agent "make fix" --spec fix.md', 'any command; the spec comes on its standard input'],
  ],
  json: '{"items": [{"name", "title", "argv", "specBy", "needsEnv", "install", "homepage", "proved"}]}: the presets of this version.',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal } = this;
    if (flags.json)
      return terminal.json({
        items: AGENTS.map(({ name, title, argv, specBy, needsEnv, install, homepage, proved }) => ({
          name,
          title,
          argv,
          specBy,
          needsEnv,
          install,
          homepage,
          proved,
        })),
      });
    for (const { name, title, argv, specBy, needsEnv, install, proved } of AGENTS) {
      terminal.out(`${terminal.color.bold(name)}  ${title}`);
      const row = (text: string) => terminal.out(wrap(text, terminal.columns, '    '));
      row(REACHES[specBy]);
      if (argv.length > 0) row(`Runs: ${argv.join(' ')}`);
      if (needsEnv.length > 0) row(`Needs: ${needsEnv.map((any) => any.join(' or ')).join(', and ')}`);
      row(name === 'shell' ? install : `Install: ${install}`);
      if (proved !== null) row(`Proved: jobs of our tests run version ${proved.version} against a scripted model.`);
      else if (name !== 'shell') row('Proved: no; made after its documentation.');
    }
    terminal.out();
    terminal.out(
      wrap(
        'Anything else is run as a command by /bin/sh, with the spec on its standard input and the path of a file with it in HANGAR_SPEC_FILE.',
        terminal.columns,
      ),
    );
  },
});
