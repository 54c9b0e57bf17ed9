import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import type { FetchedDiff } from '../../jobs/fetch-diff.ts';
import { jobArgument, parseJobId } from '../../jobs/job-id.ts';
import { aboutJob } from '../../jobs/job-words.ts';
import type { PullWish } from '../../jobs/pull-fetched.ts';
import { parseSandboxId } from '../../sandboxes/sandbox-id.ts';

interface PullFlags extends GlobalFlags, PullWish {
  readonly undo: boolean;
  readonly anyway: boolean;
  readonly local: boolean;
  readonly path?: string | undefined;
  readonly base?: string | undefined;
}

export const command = defineCommand<PullFlags, [string?]>({
  brief: 'Apply the diff of a job or a sandbox to this checkout',
  examples: [
    ['pull j_7k2m9p4x', 'changes files and index, prints what changed'],
    ['pull --check', 'the newest finished job here: would it apply?'],
    ['pull s_7k2m9p4x', 'what was changed in a sandbox, as sandbox diff shows it'],
    ['pull --undo', 'takes the last pull back exactly'],
  ],
  about: [
    'Without an ID the newest of your jobs of this repository and of the runs on this machine that has ended; stderr says which. A work tree or another clone of the same repository finds its jobs, too, whatever its folder is called: jobs are told by their commits and their remote. A job of another repository is refused, unless you say --anyway.',
    'The diff is applied three-way, files and index, as git checkout and git add would: through the filters that git is set up with here (line ends, git-lfs, git-crypt). Where it conflicts the files get markers, are listed, and the exit code is 2. Uncommitted changes stand in the way only where the diff meets them: commit them, or use --stash or --branch. When they are exactly what the job started from, the diff goes on top of them.',
    '--check says what the pull would do, with the same exit code, and writes nothing. --stash puts all your changes into git stash first and leaves them there. --branch makes a commit on a new branch, on top of what the job started from, and leaves your files alone.',
    'Of a sandbox it is what hangar sandbox diff makes of its files now; --path and --base say of which work tree, against what.',
    '--undo gives back files, index and stash as they were, leaves your other changes alone, and refuses when files of the pull were changed since. One pull, undo or run at a time works in a checkout; another one waits.',
  ],
  json: '{"job" ("sandbox" of one), "applied", "branch", "commit", "stash", "onTop", "partial", "filesChanged", "insertions", "deletions", "files": [{"path", "insertions", "deletions"}], "conflicts"}; "leftOut" where the agent made what the diff does not hold; "alreadyHere": nothing was left to do; with --check also "applies"; with --undo {"undone": {"job", "files", "branch", "unstashed"}}.',
  parameters: {
    flags: {
      check: yes('Only say whether it would apply'),
      stat: yes('Only show what the diff changes'),
      output: text('Only write the diff to a file; - is stdout', 'FILE'),
      stash: yes('Put uncommitted changes into git stash first'),
      branch: text('Commit the diff on a new branch instead', 'NAME'),
      undo: yes('Take the last pull back'),
      anyway: yes('Also a job of another repository'),
      local: yes('The newest run of this machine (hangar run without --cloud)'),
      path: text('Of a sandbox: folder in the work tree', 'FOLDER'),
      base: text('Of a sandbox: what to compare with in place of HEAD', 'REV'),
      ...globalFlags,
    },
    aliases: { o: 'output', b: 'branch' },
    positional: {
      kind: 'tuple',
      parameters: [
        {
          ...jobArgument,
          parse: parsePulled,
          optional: true,
          brief: 'The job, run or sandbox; the newest finished one of this repository when left out',
        },
      ],
    },
  },
  async run(flags, id) {
    refuseMixtures(flags, id);
    if (flags.undo) return undo(this, flags);
    const forCheckout = flags.output === undefined && (!flags.stat || flags.check);
    const fetched = await fetchPulled(this, { ...flags, forCheckout }, id);
    try {
      const { pullFetched } = await import('../../jobs/pull-fetched.ts');
      await pullFetched(this, flags, fetched);
    } catch (error) {
      throw aboutJob(error, fetched.jobId);
    } finally {
      await fetched.dispose();
    }
  },
});

const isSandbox = (id: string | undefined): id is string => id?.startsWith('s_') === true;

/** @throws HangarError usage */
function parsePulled(given: string): string {
  return /^(?:https?:\/\/\S*\/)?s_/.test(given) ? parseSandboxId(given) : parseJobId(given);
}

async function fetchPulled(
  cli: Cli,
  flags: PullFlags & { readonly forCheckout: boolean },
  id: string | undefined,
): Promise<FetchedDiff> {
  if (isSandbox(id)) return (await import('../../sandboxes/fetch-sandbox-diff.ts')).fetchSandboxDiff(cli, flags, id);
  return (await import('../../jobs/fetch-diff.ts')).fetchDiff(cli, flags, id);
}

function refuseMixtures(flags: PullFlags, id: string | undefined): void {
  const ways = [
    flags.check && '--check',
    flags.stat && '--stat',
    flags.output !== undefined && '--output',
    flags.undo && '--undo',
    flags.branch !== undefined && '--branch',
    flags.stash && '--stash',
  ].filter((way) => way !== false);
  if (!isSandbox(id) && (flags.path !== undefined || flags.base !== undefined))
    throw new HangarError('usage', {
      message: '--path and --base are for the diff of a sandbox.',
      wayOut: 'Name the sandbox: hangar pull s_… --path FOLDER',
    });
  const mixed = ways.length > 1 && ways.join(' ') !== '--check --stat';
  if (mixed || (flags.undo && (id !== undefined || flags.local)))
    throw new HangarError('usage', {
      message: `${[...ways, ...(flags.undo && id !== undefined ? ['an ID'] : [])].join(' and ')} do not go together.`,
      wayOut: 'Choose one. See: hangar pull --help',
    });
}

async function undo(cli: Cli, flags: PullFlags): Promise<void> {
  const [{ undoPull }, { needCheckout }, { plural }] = await Promise.all([
    import('../../checkout/pull/undo.ts'),
    import('../../checkout/checkout.ts'),
    import('@hangar/contract/words/number'),
  ]);
  const undone = await undoPull(needCheckout(await cli.checkout()));
  const { jobId: job, files, branch, unstashed, aside } = undone;
  if (aside !== null)
    cli.terminal.warn(`That pull had been cut off. What was in its files until now is kept in ${aside}`);
  if (flags.json) return cli.terminal.json({ undone: { job, files, branch, unstashed } });
  const what = branch === null ? `${plural(files.length, 'file')} as before` : `branch ${branch} removed`;
  cli.terminal.out(`Took back the pull of ${job}: ${what}${unstashed ? ', your uncommitted changes are back' : ''}.`);
  cli.terminal.next('git status', `hangar pull ${job}`);
}
