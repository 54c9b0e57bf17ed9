import { JOB_STATES, type JobState } from '@hangar/contract/state-words';
import { jobWords } from '@hangar/contract/words/job';
import { formatSeconds, relativeTime } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { diffWords } from '../../jobs/job-words.ts';
import { defineList } from '../../list-command.ts';
import { commandLine } from '../../terminal/command-line.ts';
import { wholeNumber } from '../../terminal/numbers.ts';
import { stateText } from '../../terminal/tones.ts';
import { cut } from '../../terminal/words.ts';

interface Flags extends GlobalFlags {
  readonly state?: readonly JobState[] | undefined;
  readonly all: boolean;
  readonly here: boolean;
  readonly search?: string | undefined;
  readonly agent?: string | undefined;
  readonly on?: string | undefined;
  readonly repo?: string | undefined;
  readonly group?: string | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export const command = defineList({
  brief: 'List jobs',
  examples: [
    ['jobs', 'your jobs, newest first'],
    ['jobs --state running --state queued', 'what runs and what waits'],
    ['jobs --all --search login', 'of everybody, with a word in title, repository or id (admin)'],
  ],
  json: '{"items": [job, …], "nextCursor"}: as GET /jobs answers; give nextCursor as --cursor for the next page.',
  parameters: {
    flags: {
      state: {
        kind: 'enum',
        values: JOB_STATES,
        optional: true,
        variadic: true,
        brief: 'Only in this state',
        placeholder: 'STATE',
      },
      all: yes('Jobs of everybody (admin)'),
      here: yes('Only jobs of this repository, told as pull tells them'),
      search: text('Only with this in title, repository or id', 'TEXT'),
      agent: text('Only of this agent', 'NAME'),
      on: text('Only on this profile', 'PROFILE'),
      repo: text('Only of this repository, by its name', 'NAME'),
      group: text('Only of this group', 'NAME'),
      limit: {
        kind: 'parsed',
        parse: wholeNumber,
        optional: true,
        brief: 'Jobs a page, at most 200; 20 when left out',
        placeholder: 'N',
      },
      cursor: text('Go on where the page before ended', 'CURSOR'),
      ...globalFlags,
    },
    aliases: { n: 'limit' },
  },
  async ask(cli: Cli, flags: Flags) {
    if (flags.limit !== undefined) (await import('../../terminal/check-page.ts')).checkPage('jobs', flags);
    const api = await cli.api(flags.server);
    const query = {
      mine: !flags.all,
      ...(flags.state === undefined ? {} : { state: [...flags.state] }),
      ...(flags.search === undefined ? {} : { search: flags.search }),
      ...(flags.agent === undefined ? {} : { agent: flags.agent }),
      ...(flags.on === undefined ? {} : { profile: flags.on }),
      ...(flags.repo === undefined ? {} : { repo: flags.repo }),
      ...(flags.group === undefined ? {} : { group: flags.group }),
    };
    const page = { limit: flags.limit ?? 20, ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }) };
    if (flags.here) return (await import('../../jobs/jobs-here.ts')).jobsHere(cli, api, query, page);
    return api.client.jobs.list({ ...query, ...page });
  },
  empty: ({ nextCursor }) => (nextCursor === null ? 'No jobs.' : 'No jobs so far.'),
  row: (job, { terminal }, flags) => [
    job.id,
    stateText(jobWords(job), terminal.color),
    relativeTime(job.createdAt),
    formatSeconds(job.elapsedSeconds),
    ...(flags.all ? [cut(job.owner.name, 14)] : []),
    ...(terminal.columns >= 110 ? [cut(job.repo.name, 24), diffWords(job)] : []),
    job.title,
  ],
  next({ items, nextCursor: cursor }, { state, all, here, search, agent, on, repo, group, limit, server }) {
    const asked = { here, state, all, search, agent, on, repo, group, limit, server };
    const more = cursor === null ? [] : [commandLine('hangar jobs', { ...asked, cursor })];
    const [newest] = items;
    if (newest === undefined) return more.length > 0 ? more : ['hangar run --cloud --spec SPEC.md'];
    if (more.length === 0 && group !== undefined && items.length > 1) return [`hangar compare --group ${group}`];
    return [...more, `hangar status ${newest.id}`];
  },
});
