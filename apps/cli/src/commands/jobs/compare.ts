import type { Job } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { groupWords } from '@hangar/contract/words/group';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { isLocalRun, jobArgument, newestOf } from '../../jobs/job-id.ts';
import type { Api } from '../../server/api.ts';

interface Flags extends GlobalFlags {
  readonly group?: string | undefined;
  readonly diff: boolean;
}

export const command = defineCommand<Flags, string[]>({
  brief: 'Set jobs side by side: time, cost, and what each changed',
  examples: [
    ['compare --group add-search-7k2m', 'the jobs that hangar run --times or --agents sent together'],
    ['compare j_7k2m9p4x j_8n3q2r5w --diff', 'any two, with their diffs'],
  ],
  about: [
    'Works while some still run: what they have saved so far counts. The second table shows which files each job changed; a letter tells the different ways of changing one file apart.',
    'Take the one you like with hangar pull ID.',
  ],
  json: '{"group", "items": [job with "agentSeconds", "note" and, with --diff, "diffText", …], "files": [{"path", "verdict": "same" | "differs" | "alone", "changes": [{"id", "insertions", "deletions", "version"}]}]}.',
  parameters: {
    flags: {
      group: text('All jobs of this group', 'NAME'),
      diff: yes('Print each diff as well'),
      ...globalFlags,
    },
    aliases: { d: 'diff' },
    positional: {
      kind: 'array',
      parameter: { ...jobArgument, brief: 'Two jobs or more; your newest group when left out' },
    },
  },
  async run(flags, ...ids) {
    const { terminal } = this;
    const api = await this.api(flags.server);
    const jobs = await chosen(this, api, flags, ids);
    const [{ compareFiles, gather }, { fileTable, jobTable, notesOf, printDiffs, pullCommands }] = await Promise.all([
      import('../../jobs/compare/compare.ts'),
      import('../../jobs/compare/compare-table.ts'),
    ]);
    const { contenders, dispose } = await gather(this, api, jobs);
    try {
      const files = compareFiles(contenders);
      if (flags.json) {
        const { readFile } = await import('node:fs/promises');
        const items = contenders.map(async ({ job, agentSeconds, note, diffFile }) => ({
          ...job,
          agentSeconds,
          note,
          ...(flags.diff ? { diffText: diffFile === null ? null : await readFile(diffFile, 'utf8') } : {}),
        }));
        return terminal.json({ group: groupOf(jobs), items: await Promise.all(items), files });
      }
      for (const line of jobTable(jobs, terminal)) terminal.out(line);
      if (files.length > 0) {
        terminal.out();
        for (const line of fileTable(files, jobs, terminal)) terminal.out(line);
      }
      for (const line of notesOf(contenders)) terminal.note(line);
      if (flags.diff) await printDiffs(this, contenders);
      const pulls = pullCommands(jobs);
      const group = groupOf(jobs);
      if (pulls.length > 0) terminal.next(...pulls);
      else {
        terminal.note(`${groupWords(jobs)}.`);
        terminal.next(
          `hangar status ${jobs[0]?.id}`,
          group === null ? `hangar jobs` : `hangar compare --group ${group}`,
        );
      }
    } finally {
      await dispose();
    }
  },
});

/** The group all of them belong to; null when there is none. */
const groupOf = (jobs: readonly Job[]): string | null =>
  jobs.every(({ group }) => group === jobs[0]?.group) ? (jobs[0]?.group ?? null) : null;

async function chosen(cli: Cli, api: Api, flags: Flags, ids: readonly string[]): Promise<Job[]> {
  const { MAX_COMPARED, ofGroup } = await import('../../jobs/compare/group.ts');
  if (flags.group !== undefined && ids.length > 0)
    throw new HangarError('usage', { message: '--group and IDs do not go together.', wayOut: 'Choose one.' });
  const here = ids.find(isLocalRun);
  if (here !== undefined)
    throw new HangarError('usage', {
      message: `${here} ran on this machine; only jobs of a server are compared.`,
      wayOut: `Look at its diff: hangar pull ${here} --stat`,
    });
  if (ids.length === 1)
    throw new HangarError('usage', {
      message: 'One job alone cannot be compared.',
      wayOut: `Name another: hangar compare ${ids[0]} ID, or a group: hangar compare --group NAME`,
    });
  const distinct = [...new Set(ids)];
  const jobs =
    distinct.length > 0
      ? await Promise.all(distinct.map((id) => api.client.jobs.get({ id })))
      : await ofGroup(api, flags.group ?? (await newestGroup(cli, api)));
  if (jobs.length <= MAX_COMPARED) return jobs;
  cli.terminal.warn(`${jobs.length} jobs; the newest ${MAX_COMPARED} are compared. Name others by their ids.`);
  return jobs.slice(-MAX_COMPARED);
}

async function newestGroup(cli: Cli, api: Api): Promise<string> {
  const checkout = await cli.checkout();
  const { nameOf } = await import('../../checkout/checkout.ts');
  const repo = checkout === null ? undefined : await nameOf(checkout);
  const newest = await newestOf(api, checkout, { suits: (job) => job.group !== null });
  const group = newest?.group ?? null;
  if (group !== null) {
    cli.terminal.note(`${group}, your newest group${repo === undefined ? '' : ` of ${repo}`}.`);
    return group;
  }
  throw new HangarError('usage', {
    message: `None of your last jobs${repo === undefined ? '' : ` of ${repo}`} belongs to a group.`,
    wayOut: 'Name two jobs or more: hangar compare ID ID, or send a group: hangar run --cloud --times 3 --spec SPEC.md',
  });
}
