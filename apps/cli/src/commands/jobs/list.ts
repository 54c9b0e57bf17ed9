import { JOB_STATES, type JobState } from '@hangar/contract/state-words';
import { jobWords } from '@hangar/contract/words/job';
import { formatSeconds, relativeTime } from '@hangar/contract/words/time';
import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { diffWords } from '../../jobs/job-words.ts';
import { commandLine } from '../../terminal/command-line.ts';
import { wholeNumber } from '../../terminal/numbers.ts';
import { stateText } from '../../terminal/tones.ts';
import { cut, table } from '../../terminal/words.ts';

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

export const command = defineCommand<Flags>({
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
  async run(flags) {
    const { terminal } = this;
    if (flags.limit !== undefined) (await import('../../terminal/check-page.ts')).checkPage('jobs', flags);
    const api = await this.api(flags.server);
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
    const found = flags.here
      ? await (await import('../../jobs/jobs-here.ts')).jobsHere(this, api, query, page)
      : await api.client.jobs.list({ ...query, ...page });
    if (flags.json) return terminal.json(found);
    const { state, all, here, search, agent, on, repo, group, limit, server } = flags;
    const more =
      found.nextCursor === null
        ? null
        : commandLine('hangar jobs', {
            ...{ here, state, all, search, agent, on, repo, group, limit, server },
            cursor: found.nextCursor,
          });
    if (found.items.length === 0) {
      terminal.note(more === null ? 'No jobs.' : 'No jobs so far.');
      terminal.next(more ?? 'hangar run --cloud --spec SPEC.md');
      return;
    }
    const rows = found.items.map((job) => [
      job.id,
      stateText(jobWords(job), terminal.color),
      relativeTime(job.createdAt),
      formatSeconds(job.elapsedSeconds),
      ...(flags.all ? [cut(job.owner.name, 14)] : []),
      ...(terminal.columns >= 110 ? [cut(job.repo.name, 24), diffWords(job)] : []),
      job.title,
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    const [newest] = found.items;
    if (more !== null) terminal.next(more, `hangar status ${newest?.id}`);
    else if (flags.group !== undefined && found.items.length > 1)
      terminal.next(`hangar compare --group ${flags.group}`);
    else terminal.next(`hangar status ${newest?.id}`);
  },
});
