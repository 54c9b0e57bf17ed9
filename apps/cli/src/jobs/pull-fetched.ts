import { createReadStream } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { showPath } from '@hangar/contract/path-bytes';
import { plural } from '@hangar/contract/words/number';
import { needCheckout, needHead } from '../checkout/checkout.ts';
import { diffStat, type FileStat, sumOf } from '../checkout/diff.ts';
import { openGit } from '../checkout/git.ts';
import { checkPull, type Incoming, type Pulled, pullIntoBranch, pullIntoTree } from '../checkout/pull/pull.ts';
import type { Cli } from '../cli.ts';
import { cut, table } from '../terminal/words.ts';
import type { FetchedDiff } from './fetch-diff.ts';
import { warnOfLeftOut } from './job-words.ts';

/** What is to become of the diff. */
export interface PullWish {
  readonly json: boolean;
  readonly check: boolean;
  readonly stat: boolean;
  readonly output?: string | undefined;
  readonly stash: boolean;
  readonly branch?: string | undefined;
}

/** Does with a diff what pull was asked to do, and says what it did. */
export async function pullFetched(cli: Cli, flags: PullWish, fetched: FetchedDiff): Promise<void> {
  const { terminal, settings, signal } = cli;
  const { file, jobId, pull = `hangar pull ${jobId}` } = fetched;
  const leftOut = fetched.leftOut ?? [];
  const common = {
    ...named(fetched),
    partial: fetched.partial,
    ...(leftOut.length > 0 ? { leftOut } : {}),
  };
  warnOfLeftOut(terminal, leftOut);
  if (file === null) {
    if (flags.json) return terminal.json({ ...common, applied: false, ...sumOf([]), files: [], conflicts: [] });
    if (flags.output === '-') return terminal.note(`Nothing is changed in ${jobId}.`);
    terminal.out(`${jobId} changed nothing.`);
    return terminal.next(fetched.of === 'sandbox' ? `hangar sandbox show ${jobId}` : `hangar logs ${jobId}`);
  }
  if (fetched.partial) terminal.warn('The job did not succeed: this is the diff it had when it ended.');
  if (flags.output !== undefined) return writeOut(cli, flags, flags.output, fetched, file);

  const stats = await diffStat(openGit(settings.cwd, { signal, env: settings.env }), file);
  const files = stats.map((stat) => ({ ...stat, path: showPath(stat.path) }));
  const sum = sumOf(files);
  if (flags.stat && !flags.check) {
    if (flags.json) return terminal.json({ ...common, applied: false, ...sum, files, conflicts: [] });
    showFiles(cli, files);
    return terminal.next(pull);
  }

  const checkout = needCheckout(await cli.checkout());
  needHead(checkout);
  const incoming: Incoming = { jobId, title: fetched.title, file, baseCommit: fetched.baseCommit, sent: fetched.sent };
  if (flags.check) {
    const { conflicts, alreadyHere } = await checkPull(checkout, incoming);
    if (conflicts.length > 0)
      throw new HangarError('diff_conflicts', {
        message: `The diff would conflict in ${plural(conflicts.length, 'file')}.`,
        wayOut: 'Pull anyway and resolve the markers, or change to the commit the job started from.',
        details: { files: conflicts.map(showPath) },
      });
    if (flags.json)
      return terminal.json({ ...common, applied: false, applies: true, alreadyHere, ...sum, files, conflicts });
    if (flags.stat) showFiles(cli, files);
    if (alreadyHere) return terminal.out(`All that ${jobId} changed is here already.`);
    terminal.out(`The diff of ${jobId} applies: ${sumWords(sum)}.`);
    return terminal.next(pull);
  }

  if (flags.branch !== undefined) {
    const { commit } = await pullIntoBranch(checkout, incoming, flags.branch);
    if (flags.json)
      return terminal.json({
        ...common,
        applied: true,
        branch: flags.branch,
        commit,
        stash: null,
        onTop: false,
        ...sum,
        files,
        conflicts: [],
      });
    showFiles(cli, files);
    terminal.note(`Committed on the new branch ${flags.branch}; your files are as they were.`);
    return terminal.next(`git switch ${flags.branch}`, `git merge ${flags.branch}`, 'hangar pull --undo');
  }

  const pulled = await pullIntoTree(checkout, incoming, { stash: flags.stash });
  if (pulled.conflicts.length > 0) throw conflictError(pulled);
  if (flags.json)
    return terminal.json({
      ...common,
      applied: !pulled.alreadyHere,
      branch: null,
      commit: null,
      ...pulled,
      ...sum,
      files,
    });
  if (pulled.alreadyHere) return terminal.out(`All that ${jobId} changed is here already; nothing was written.`);
  showFiles(cli, files);
  if (pulled.onTop) terminal.note('Applied on top of the uncommitted changes the job had started from.');
  if (pulled.stash !== null) terminal.note('Your changes are in the stash; git stash pop brings them on top.');
  terminal.next(pulled.onTop ? 'git diff' : 'git diff --cached', 'hangar pull --undo');
}

const named = ({ of, jobId }: FetchedDiff) => (of === 'sandbox' ? { sandbox: jobId } : { job: jobId });

const conflictError = ({ conflicts, stash }: Pulled): HangarError =>
  new HangarError('diff_conflicts', {
    message: `The diff was applied, with conflicts in ${plural(conflicts.length, 'file')}:`,
    wayOut:
      'Resolve the markers (a binary file has none: yours is kept) and git add the files, or take the pull back: hangar pull --undo',
    details: { files: conflicts.map(showPath), applied: true, ...(stash === null ? {} : { stash }) },
  });

async function writeOut(cli: Cli, flags: PullWish, output: string, fetched: FetchedDiff, file: string): Promise<void> {
  if (output === '-') {
    for await (const chunk of createReadStream(file)) await cli.terminal.write(chunk as Buffer);
    return;
  }
  const target = resolve(cli.settings.cwd, output);
  await copyFile(file, target).catch((error: Error) => {
    throw new HangarError('usage', {
      message: `${output} cannot be written: ${error.message}`,
      wayOut: 'Choose another file.',
    });
  });
  if (flags.json) return cli.terminal.json({ ...named(fetched), applied: false, output: target });
  cli.terminal.out(target);
  cli.terminal.next(`git apply --3way ${output}`);
}

const sumWords = (sum: ReturnType<typeof sumOf>): string =>
  [
    `${plural(sum.filesChanged, 'file')} changed`,
    sum.insertions > 0 ? `${plural(sum.insertions, 'insertion')}(+)` : null,
    sum.deletions > 0 ? `${plural(sum.deletions, 'deletion')}(-)` : null,
  ]
    .filter((part) => part !== null)
    .join(', ');

const SHOWN = 40;

function showFiles({ terminal }: Cli, files: readonly FileStat[]): void {
  const { color, columns } = terminal;
  const shown = terminal.outIsTerminal ? files.slice(0, SHOWN) : files;
  const most = Math.max(1, ...files.map(({ insertions, deletions }) => (insertions ?? 0) + (deletions ?? 0)));
  const rows = shown.map(({ path, insertions, deletions }) => {
    if (insertions === null || deletions === null) return [cut(path, columns - 24), '', 'binary'];
    const bar = (lines: number, sign: string) =>
      sign.repeat(lines === 0 ? 0 : Math.max(1, Math.round((lines / most) * 16)));
    return [
      cut(path, columns - 24),
      String(insertions + deletions),
      `${color.green(bar(insertions, '+'))}${color.red(bar(deletions, '-'))}`,
    ];
  });
  for (const line of table(rows, columns)) terminal.out(` ${line}`);
  if (shown.length < files.length) terminal.out(color.dim(` and ${files.length - shown.length} more`));
  terminal.out(`${sumWords(sumOf(files))}`);
}
