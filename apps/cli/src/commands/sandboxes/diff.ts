import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { sandboxArgument } from '../../sandboxes/sandbox-id.ts';

interface Flags extends GlobalFlags {
  readonly stat: boolean;
  readonly path?: string | undefined;
  readonly base?: string | undefined;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'What was changed in a git work tree of a sandbox',
  examples: [
    ['sandbox diff s_7k2m9p4x --stat', 'the files of its job, with what the job and you changed'],
    ['sandbox diff s_7k2m9p4x --path src/app > app.diff', 'of a clone that was made in its home folder'],
  ],
  about: [
    'A sandbox that was opened with --job has the files of the job: they are compared with what the job began with, so what the job changed and what was changed since are in it. In any other sandbox the work tree at --path, or in the home folder, is compared with its HEAD commit as it is now, or with --base.',
    'What is in it is what git add --all would record: new files, modes, links and binary files too, but no ignored ones. What cannot be in it is said on stderr.',
    'hangar pull ID applies it to this checkout.',
  ],
  json: '{"sandbox", "applied": false, "filesChanged", "insertions", "deletions", "files": [{"path", "insertions", "deletions"}], "conflicts": []}; "leftOut" where the tree has what a diff does not hold.',
  parameters: {
    flags: {
      stat: yes('Only show which files changed, and how much'),
      path: text('Folder of the sandbox in the work tree, from its home folder', 'FOLDER'),
      base: text('Commit, branch or tag to compare with in place of HEAD', 'REV'),
      ...globalFlags,
    },
    positional: { kind: 'tuple', parameters: [{ ...sandboxArgument, brief: 'The sandbox' }] },
  },
  async run(flags, id) {
    const { fetchSandboxDiff } = await import('../../sandboxes/fetch-sandbox-diff.ts');
    const fetched = await fetchSandboxDiff(this, { ...flags, forCheckout: false, anyway: true }, id);
    try {
      const { pullFetched } = await import('../../jobs/pull-fetched.ts');
      const stat = flags.stat || flags.json;
      const wish = { json: flags.json, check: false, stat, stash: false };
      await pullFetched(this, stat ? wish : { ...wish, output: '-' }, fetched);
    } finally {
      await fetched.dispose();
    }
  },
});
